"""One fake internet in many hands: both faces in one test, and worlds that live longer than a test."""

from __future__ import annotations

import pytest


def test_two_faces_are_one_fake_internet_in_any_order(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest
        from shop import send
        from fakemail import AsyncMailNet, MailNet, Stage

        @pytest.fixture
        def smtp(mailnet):
            return mailnet.account("hello@shop.test").submission

        @pytest.fixture
        def bob(async_mailnet):
            return async_mailnet.account("bob@example.org", password="secret")

        @pytest.fixture
        def deep(bob):
            return bob

        @pytest.mark.asyncio
        @pytest.mark.mailnet(accounts=["eve@example.net"])
        @pytest.mark.parametrize("first", ["mailnet", "async_mailnet"])
        async def test_async(first, request, smtp, async_mailnet, deep, mailnet):
            assert type(mailnet) is MailNet and type(async_mailnet) is AsyncMailNet
            assert mailnet.seed == async_mailnet.seed
            await asyncio.to_thread(send, smtp, deep.address)
            assert (await deep.inbox.wait_for_one()).subject == "Welcome, Bob"
            same = mailnet.account("bob@example.org")
            assert same == deep and same.password == "secret"
            assert same.inbox.one() == deep.inbox.one()
            assert await asyncio.to_thread(same.inbox.wait_for_one) == deep.inbox.one()
            assert mailnet.domain("example.org") == async_mailnet.domain("example.org")
            mailnet.faults.drop(Stage.SMTP_RCPT, must_fire=False)
            assert len(async_mailnet.faults) == 1
            await async_mailnet.settle()
            assert len(mailnet.journeys()) == len(async_mailnet.journeys()) == 1
            assert mailnet.clock.now() == async_mailnet.clock.now()
            async_mailnet.close()
            assert not mailnet.is_running

        def test_sync(smtp, deep, mailnet):
            send(smtp, "bob@example.org")
            mailnet.account("bob@example.org").inbox.wait_for_one()
            assert deep.inbox

        def test_fails(mailnet, async_mailnet):
            async_mailnet.account("bob@example.org")
            assert False
        """
    )
    run = project.runpytest()
    run.assert_outcomes(passed=3, failed=1)
    run.stdout.no_fnmatch_line("*of 2 fake internets*")


def test_an_unobserved_fault_is_told_whichever_face_declared_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from fakemail import Stage

        def test_it(mailnet, async_mailnet):
            async_mailnet.account("bob@example.org")
            async_mailnet.faults.drop(Stage.SMTP_RCPT)
        """
    )
    project.runpytest().assert_outcomes(failed=1)


def test_the_factory_has_an_async_form(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest
        from shop import send

        @pytest.fixture(scope="module")
        def world(async_mailnet_factory):
            return async_mailnet_factory(accounts=["bob@example.org"], timeout=7)

        @pytest.mark.asyncio
        async def test_one(world):
            await asyncio.to_thread(send, world.submission, "bob@example.org")
            await world.account("bob@example.org").inbox.wait_for_one()
            assert world.timeout == 7
            assert world.as_blocking().account("bob@example.org").inbox

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
        async def test_two(world, anyio_backend):
            assert len(world.account("bob@example.org").inbox) == 1
            await world.settle()

        def test_in_a_block(async_mailnet_factory):
            async def work():
                async with async_mailnet_factory() as net:
                    await net.settle()
                assert not net.is_running

            asyncio.run(work())

        def test_wrong(async_mailnet_factory):
            with pytest.raises(pytest.UsageError, match="async_mailnet_factory"):
                async_mailnet_factory(timeot=2)
        """
    )
    project.runpytest("-panyio").assert_outcomes(passed=5)


def test_faults_of_a_test_end_with_it_and_others_stay(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import smtplib
        import pytest
        from fakemail import Reply, Stage

        @pytest.fixture(scope="module")
        def world(mailnet_factory):
            net = mailnet_factory(
                accounts=["bob@example.org"],
                faults=[{"host": "mx1.example.org", "stage": "smtp.vrfy", "do": {"reply": "554 5.5.1 no"}}],
            )
            net.faults.reply(Stage.SMTP_NOOP, Reply(451))
            return net

        @pytest.fixture(scope="module", autouse=True)
        def of_the_module(world):
            world.faults.reply(Stage.SMTP_HELP, Reply(452))

        @pytest.fixture
        def of_the_test(world):
            world.faults.reply(Stage.SMTP_RSET, Reply(450))

        @pytest.fixture(scope="module")
        def late(world):
            world.faults.reply(Stage.SMTP_RCPT, Reply(453), must_fire=False)

        def codes(world):
            smtp = world.mx("example.org")
            with smtplib.SMTP(smtp.host, smtp.port) as client:
                client.ehlo()
                return [client.docmd(each)[0] for each in ("NOOP", "HELP", "RSET", "VRFY bob")]

        def test_one(world, of_the_test):
            world.faults.reply(Stage.SMTP_EXPN, Reply(455), must_fire=False)
            assert codes(world) == [451, 452, 450, 554]

        def test_two(world):
            assert codes(world) == [451, 452, 250, 554]
            assert len(world.faults) == 2

        def test_three(world, request):
            request.getfixturevalue("late")
            world.mx("example.org").faults.refuse_connections()

        def test_four(world):
            assert codes(world) == [451, 452, 250, 554]
            assert len(world.faults) == 3
        """
    )
    project.runpytest().assert_outcomes(passed=4)


def test_a_reset_in_between(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from shop import send

        @pytest.fixture(scope="module")
        def world(mailnet_factory):
            return mailnet_factory(accounts=["bob@example.org"])

        @pytest.fixture(autouse=True)
        def clean(world):
            yield
            world.reset()

        @pytest.mark.parametrize("number", [1, 2])
        def test_each(world, number):
            bob = world.account("bob@example.org")
            assert not bob.inbox and not world.journeys()
            send(world.submission, bob.address, subject=f"Number {number}")
            assert bob.inbox.wait_for_one().subject == f"Number {number}"
            world.settle()

        def test_fails(world):
            send(world.submission, "bob@example.org", subject="Last")
            world.settle()
            assert False
        """
    )
    run = project.runpytest()
    run.assert_outcomes(passed=2, failed=1)
    run.stdout.fnmatch_lines(["1 of 1: *'Last'*"])
