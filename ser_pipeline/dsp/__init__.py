"""Signal processing that knows no recording: transforms, gate, mel, pitch, formants, most of it compiled."""
