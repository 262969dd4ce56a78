"""The fixtures: fresh worlds, worlds that live longer, async plugins, xdist, unittest."""

from __future__ import annotations

import textwrap

import pytest


def test_two_tests_share_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest, shop

        @pytest.mark.parametrize("number", [1, 2])
        def test_alone(mailnet, number):
            assert mailnet.events() == []
            bob = mailnet.account("bob@example.org")
            assert bob.inbox.is_empty
            shop.send(mailnet.mx("example.org"), bob.address)
            assert bob.inbox.wait_for_one().subject == "Welcome, Bob"
            with pytest.raises(LookupError):
                mailnet.mx("only.example" if number == 1 else "never.example")
            mailnet.domain("never.example")
        """
    )
    project.runpytest().assert_outcomes(passed=2)


_IDS = """
    import pathlib, pytest, shop

    @pytest.mark.parametrize("number", [1, 2])
    def test_ids(mailnet, number):
        bob = mailnet.account("bob@example.org")
        shop.send(mailnet.mx("example.org"), bob.address)
        mail = bob.inbox.wait_for_one()
        with pathlib.Path("ids.txt").open("a") as file:
            print(number, mail.queue_id, bob.password, file=file)
"""


def test_a_test_has_the_same_chance_in_every_run(project: pytest.Pytester) -> None:
    project.makepyfile(_IDS)
    for _ in range(2):
        project.runpytest().assert_outcomes(passed=2)
    first, second, again, _ = (project.path / "ids.txt").read_text().splitlines()
    assert first == again
    assert first.split()[1] != second.split()[1]


def test_the_same_seed_gives_the_same_ids(project: pytest.Pytester) -> None:
    project.makepyfile(_IDS)
    for seed in (7, 8):
        project.runpytest(f"--mailnet-seed={seed}").assert_outcomes(passed=2)
    first, second, other, _ = ((project.path / "ids.txt").read_text()).splitlines()
    assert first.split()[1:] == second.split()[1:]
    assert first.split()[1:] != other.split()[1:]


def test_a_world_of_a_module(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_one="""
        import pytest, shop

        @pytest.fixture(scope="module")
        def world(mailnet_factory):
            with mailnet_factory(accounts=["bob@example.org"], timeout=3) as net:
                yield net

        def test_send(world):
            shop.send(world.mx("example.org"), "bob@example.org")
            world.account("bob@example.org").inbox.wait_for_one()

        def test_receive(world):
            assert world.timeout == 3
            assert world.account("bob@example.org").inbox.one().subject == "Welcome, Bob"
            world.close()
            world.close()
            assert not world.is_running
        """,
        test_two="""
        import pytest

        @pytest.fixture(scope="session")
        def worlds(mailnet_factory):
            return mailnet_factory(domains=["a.example"]), mailnet_factory(seed=5)

        def test_apart(worlds):
            one, two = worlds
            assert one.is_running and two.is_running
            assert one.seed != two.seed == 5
            assert one.mx("a.example").port
            with pytest.raises(LookupError):
                two.mx("a.example")
        """,
    )
    project.runpytest().assert_outcomes(passed=3)


_ASYNC = """
    import pytest
    from fakemail import AsyncMailNet, BlockingCallInLoop

    {mark}
    async def test_await(async_mailnet):
        assert isinstance(async_mailnet, AsyncMailNet)
        bob = async_mailnet.account("bob@example.org")
        smtp = async_mailnet.mx("example.org")
        await in_thread(shop.send, smtp, bob.address)
        mail = await bob.inbox.wait_for_one()
        assert mail.subject == "Welcome, Bob"
        await async_mailnet.settle()

    {mark}
    async def test_block(mailnet):
        bob = mailnet.account("bob@example.org")
        with pytest.raises(BlockingCallInLoop, match=r"async_mailnet.*await .*wait_for_one"):
            bob.inbox.wait_for_one()
        with pytest.raises(BlockingCallInLoop, match=r"await .*settle"):
            mailnet.settle()
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(project: pytest.Pytester, mode: str) -> None:
    mark = "@pytest.mark.asyncio" if mode == "strict" else ""
    project.makepyfile("import asyncio, shop\nin_thread = asyncio.to_thread\n" + _code(_ASYNC, mark))
    project.runpytest(f"--asyncio-mode={mode}", "-p", "no:anyio").assert_outcomes(passed=2)


def test_anyio_with_asyncio_and_trio(project: pytest.Pytester) -> None:
    head = (
        "import anyio.to_thread, pytest, shop\n\n"
        "async def in_thread(function, *arguments):\n"
        "    await anyio.to_thread.run_sync(function, *arguments)\n\n"
        '@pytest.fixture(params=["asyncio", "trio"])\n'
        "def anyio_backend(request):\n    return request.param\n"
    )
    project.makepyfile(head + _code(_ASYNC, "@pytest.mark.anyio"))
    run = project.runpytest("-p", "no:asyncio", "-W", "ignore::pytest.PytestConfigWarning")
    run.assert_outcomes(passed=4)


def _code(text: str, mark: str) -> str:
    return textwrap.dedent(text).format(mark=mark)


def test_unittest_classes(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import unittest
        import pytest, shop
        from fakemail import MailNet

        class ByContext(unittest.TestCase):
            def test_mail(self):
                with MailNet() as net:
                    bob = net.account("bob@example.org")
                    shop.send(net.mx("example.org"), bob.address)
                    self.assertEqual(bob.inbox.wait_for_one().subject, "Welcome, Bob")

        @pytest.mark.mailnet(accounts=["bob@example.org"])
        class ByFixture(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _world(self, mailnet):
                self.net = mailnet

            def test_mail(self):
                shop.send(self.net.mx("example.org"), "bob@example.org")
                self.assertEqual(self.net.account("bob@example.org").inbox.wait_for_one().subject, "other")
        """
    )
    run = project.runpytest()
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines(["*fakemail journey*", "Fate: delivered to bob@example.org, INBOX"])


@pytest.mark.parametrize("names", ["fs, mailnet", pytest.param("mailnet, fs", marks=pytest.mark.slow)])
def test_a_fake_file_system_in_the_same_test(project: pytest.Pytester, names: str) -> None:
    pytest.importorskip("pyfakefs")
    project.makepyfile(
        f"""
        from shop import send

        def test_first({names}):
            bob = mailnet.account("bob@example.org")
            send(bob.submission, bob.address, sender=bob.address)
            bob.inbox.wait_for_one()
            assert not fs.exists(bob.submission.ca_file)

        def test_then(mailnet):
            bob = mailnet.account("bob@example.org")
            send(bob.submission, bob.address, sender=bob.address)
            bob.inbox.wait_for_one()
        """
    )
    # In a process of its own, where nothing has been loaded yet.
    project.runpytest_subprocess("-p", "fakefs").assert_outcomes(passed=2)
