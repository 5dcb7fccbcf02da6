"""Options for Beam are checked before a component runs into them."""

import pytest

from pipeline.runners import beam_options
from trainer.core.errors import UserError


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
        ["--runner=FlinkRunner", "--flink_master=localhost:8081", "--an_option_of_flink=1"],
        ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"],
        [
            "--runner=PortableRunner",
            "--job_endpoint=localhost:8099",
            "--environment_type=EXTERNAL",
            "--environment_config=localhost:50000",
        ],
    ],
)
def test_what_beam_knows_passes(options):
    beam_options.check(options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["2"], "beam: found '2', expected options like --name=value"),
        (["--direct_num_workrs=2"], "beam: unknown option --direct_num_workrs; expected options"),
        (["--direct_num_workers=two"], "beam: argument --direct_num_workers: invalid int value"),
        (["--direct_running_mode=fast"], "beam: argument --direct_running_mode: invalid choice"),
        (
            ["--runner=PortableRunner"],
            "beam: PortableRunner hands its work to a job server; expected",
        ),
        (
            ["--runner=FlinkRunner", "--environment_type=EXTERNAL"],
            "beam: --environment_type=EXTERNAL takes workers from a pool; expected --environment_c",
        ),
        (["--runner=Fast"], "beam: Unexpected pipeline runner: Fast. Valid values are"),
    ],
)
def test_what_beam_does_not_know_is_refused_in_one_line(options, sentence, capsys):
    with pytest.raises(UserError) as told:
        beam_options.check(options)
    assert str(told.value).startswith(sentence)
    assert "\n" not in str(told.value)
    assert capsys.readouterr().err == ""
