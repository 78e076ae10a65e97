"""Voices and tones as the room of features makes them."""

from tests.features.conftest import tone, voice

__all__ = ["tone", "voice"]
