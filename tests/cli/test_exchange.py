"""The commands ``ser manifest import`` and ``ser manifest export``."""

NAMES = ("03a01Fa", "03a01Wa", "08a01Na", "08a01Ta")


def test_a_manifest_goes_out_and_comes_back(ser, tones):
    tones(NAMES)
    ser("manifest", "build")
    written = ser("manifest", "export", "kaldi", "away/mine", "--copy")
    assert "away/mine: 4 rows" in written.output
    read = ser("manifest", "import", "kaldi", "away/mine", "--data", "away")
    assert (
        "corpora/mine.toml: 4 rows in corpora/mine.csv (happiness 1, anger 1, neutral 1, sadness 1)"
        in read.output
    )
    assert "next: ser manifest build --data away" in read.output
    built = ser("manifest", "build", "--data", "away", "--manifests", "again")
    assert "4 recordings by 2 speakers, 0 rejected" in built.output


def test_errors_are_one_line(ser, tones):
    tones(NAMES)
    assert (
        "format 'kaldy' does not exist (did you mean 'kaldi'?)"
        in ser("manifest", "import", "kaldy", "x", status=1).output
    )
    assert "x: no such file or folder" in ser("manifest", "import", "kaldi", "x", status=1).output
