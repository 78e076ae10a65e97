import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import RandomGain, WaveAugment, checked


def test_only_what_the_source_report_names_is_on():
    options = WaveAugment()
    on = {name for name, value in options.model_dump().items() if name.endswith("_p") and value > 0}
    assert on == {"pitch_p", "stretch_p", "noise_p"}


def test_options_survive_json():
    options = WaveAugment(gain_p=0.2, gain=(0.9, 1.1))
    assert WaveAugment.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (WaveAugment, {"gain": [1.5, 0.5]}, "gain: .*a range must rise, but 1.5 is above 0.5"),
        (WaveAugment, {"stretch_rate": [0.0, 1.0]}, "stretch_rate: must be 2 numbers"),
        (WaveAugment, {"noise_p": 1.2}, "noise_p: must be a number from 0 to 1"),
        (RandomGain, {"gain_db": [1.0]}, "gain_db: must be 2 numbers"),
    ],
)
def test_wrong_values_name_their_field(kind, values, message):
    with pytest.raises(SettingsError, match=message):
        checked(kind, values, where="settings")
