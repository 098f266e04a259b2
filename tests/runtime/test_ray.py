"""Parts over a Ray cluster: two nodes on this machine, one of them killed, workers killed, the driver killed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import deeppersona as dp
from deeppersona.runtime import ray as ray_module
from deeppersona.runtime.ray import over_ray
from deeppersona.studio.gallery import write_gallery

pytest.importorskip("ray")

# Ray's own sockets are no business of pytest's guard, so that drivers are processes of their own. Both nodes are of one
# processor. Functions of a script travel by value, as those of the package do by name.
TWO_NODES = """
import os, signal, sys, time
from pathlib import Path
from deeppersona.runtime.ray import _ray, over_ray, ray_at
if __name__ == "__main__":
    ray = _ray()
    from ray.cluster_utils import Cluster
    try:
        cluster = Cluster(initialize_head=True, head_node_args={
            "num_cpus": 1, "include_dashboard": False, "object_store_memory": 200_000_000})
        second = cluster.add_node(num_cpus=1, object_store_memory=200_000_000)
    except Exception as error:
        print(error)
        sys.exit(77)
"""
CONTRACT = (
    TWO_NODES
    + """
def work(task):
    place, number = task
    attempt = len(list(place.glob(f"{number}-*"))) + 1
    (place / f"{number}-{attempt}").touch()
    if number == 3 and attempt <= 2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return number, b"x" * 300_000

def slow(task):
    import ray
    node = ray.get_runtime_context().get_node_id()
    (task[0] / f"slow-{task[1]}-{node}-{time.monotonic_ns()}").touch()
    time.sleep(0.7)
    return bytes([task[1]]) * 300_000

def poison(task):
    os.kill(os.getpid(), signal.SIGKILL)

def refuse(task):
    from deeppersona.errors import RateLimited
    raise RateLimited("not now", after_s=4.0)

def broken(task):
    return {}["a key"]

if __name__ == "__main__":
    from deeppersona.errors import RateLimited, StoreError
    place, taken = Path(sys.argv[1]), []
    def tasks():
        for number in range(12):
            taken.append(number)
            yield place, number
    first, seen = None, []
    for (_, number), (same, body) in over_ray(work, tasks(), address=cluster.address):
        assert number == same and len(body) == 300_000
        first = first or len(taken)
        seen.append(number)
    assert sorted(seen) == list(range(12)), seen
    assert first <= 5, first  # two in hand for each processor, and the one given out for the first that came
    assert len(list(place.glob("3-*"))) == 3 and len(list(place.glob("4-*"))) == 1
    for work_, kind, said in ((refuse, RateLimited, "not now"), (broken, KeyError, "a key"), (poison, StoreError, "5 times")):
        try:
            list(over_ray(work_, [(place, 1), (place, 2)], 1, address=cluster.address))
        except kind as error:
            assert said in str(error), error
            assert getattr(error, "after_s", 4.0) == 4.0
        else:
            raise AssertionError(work_)
    seen, killed = {}, []
    def until_killed():
        for number in range(200):
            if number >= 8 and killed:
                return
            yield place, number
    for (_, number), body in over_ray(slow, until_killed(), address=cluster.address):
        assert number not in seen
        seen[number] = body
        there = {int(file.name.split("-")[1]) for file in place.glob(f"slow-*-{second.node_id}-*")}
        if not killed and there - seen.keys():  # in hand on the second node: begun, and not come
            killed = sorted(there - seen.keys())
            cluster.remove_node(second, allow_graceful=False)
    assert killed
    assert seen == {k: bytes([k]) * 300_000 for k in range(len(seen))}
    assert all(len(list(place.glob(f"slow-{k}-*"))) == 2 for k in killed)
    print("all held")
    cluster.shutdown()
"""
)
RUN = (
    TWO_NODES
    + """
if __name__ == "__main__":
    import subprocess
    out = Path(sys.argv[1])
    command = [sys.executable, "-m", "deeppersona", *sys.argv[2:], "--out", str(out), "--engine", "ray", "--address", cluster.address]
    driver = subprocess.Popen(command)
    while driver.poll() is None and not list(out.glob("personas/part-*")):
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    killed_at = len(list(out.glob("personas/part-*")))
    driver = subprocess.Popen(command)
    while driver.poll() is None and len(list(out.glob("personas/part-*"))) == killed_at:
        time.sleep(0.01)
    cluster.remove_node(second, allow_graceful=False)
    assert driver.wait(240) == 0
    print("driver killed with", killed_at, "parts made")
    cluster.shutdown()
"""
)

POPULATION = (
    TWO_NODES
    + """
if __name__ == "__main__":
    import subprocess
    command = [sys.executable, "-m", "deeppersona", *sys.argv[2:], "--out", sys.argv[1], "--engine", "ray", "--address", cluster.address]
    done = subprocess.run(command, timeout=280)
    cluster.shutdown()
    sys.exit(done.returncode)
"""
)


def driven(script: str, folder: Path, *arguments: str) -> str:
    file = folder / "driver.py"
    file.write_text(textwrap.dedent(script))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, str(file), *arguments], capture_output=True, text=True, timeout=300, env=environment
    )
    if (
        done.returncode == 77
    ):  # its daemons have time limits of their own, which a machine with no time to spare exceeds
        pytest.skip(f"Ray does not start here: {done.stdout.strip()[-200:]}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


def test_every_task_once_whatever_dies_and_errors_as_they_were_raised(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert "all held" in driven(CONTRACT, tmp_path, str(place))


def test_the_run_of_two_nodes_is_that_of_one_process_with_a_node_and_the_driver_killed(
    tmp_path: Path, taxonomy: dp.Taxonomy
) -> None:
    options = ("generate", "-n", "1700", "--country", "KE", "--country", "DE", "--seed", "9", "--depth", "20")
    said = driven(RUN, tmp_path, str(tmp_path / "there" / "run"), *options)
    assert "driver killed with" in said
    dp.run(dp.make_plan(1700, ["KE", "DE"], seed=9, depth=20), tmp_path / "here" / "run", taxonomy, workers=1)
    write_gallery(tmp_path / "here" / "run")
    here, there = (whole(tmp_path / name / "run") for name in ("here", "there"))
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []


def test_a_population_made_on_the_cluster_is_that_of_one_process(tmp_path: Path) -> None:
    """With quotas, doubles and the report; what is made in parts elsewhere is looked through here."""
    words = ("population", "--preset", "students", "-n", "1100", "--country", "KE", "--seed", "9")
    driven(POPULATION, tmp_path, str(tmp_path / "there" / "run"), *words)
    here = [sys.executable, "-m", "deeppersona", *words, "--workers", "1", "--out", str(tmp_path / "here" / "run")]
    assert subprocess.run(here, capture_output=True, timeout=300).returncode == 0
    one, other = (whole(tmp_path / name / "run") for name in ("here", "there"))
    assert one.keys() == other.keys()
    assert len([name for name in one if name.startswith("personas/")]) == 3
    assert [name for name in one if one[name] != other[name]] == []


def whole(run: Path) -> dict[str, bytes]:
    """Every file of a run but the ledger and what it leaves behind."""
    return {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in sorted(run.rglob("*"))
        if file.is_file() and "sqlite" not in file.name and not file.name.startswith(".")
    }


@pytest.mark.parametrize("address", ["nowhere", "ray://nowhere", "127.0.0.1:", "127.0.0.1:99999999"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(dp.UsageError, match=r"address|answers"):
        list(over_ray(abs, [1, 2], address=address))


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_does_not_answer_is_told_with_the_fix(scheme: str) -> None:
    with pytest.raises(dp.UsageError, match=r"no Ray cluster answers .*ray status.*--address"):
        list(over_ray(abs, [1, 2], address=f"{scheme}127.0.0.1:1"))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(dp.UsageError, match=r"deeppersona\[ray\]"):
        list(over_ray(abs, [1, 2]))


def test_another_version_on_a_machine_of_the_cluster_is_refused() -> None:
    with pytest.raises(dp.UsageError, match="same version"):
        ray_module._call("0.0.0", abs, -1)
    assert ray_module._call(dp.__version__, abs, -1) == 1
