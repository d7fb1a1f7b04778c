"""The main job: from a button in JupyterLab to a desktop one can type into, on a real Slurm."""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext

from tests.browser import form, in_firefox, jupyter, keyboard, listed, looks, viewer
from tests.browser.desktop import (
    connect,
    launch,
    open_page,
    session_card,
    type_command,
    wait_for_desktop,
)
from tests.cluster.slurm import SlurmCluster
from tests.support import axe
from tests.support.chromium import colours, keep
from tests.support.firefox import firefox
from tests.support.lab import Lab
from tests.support.waiting import wait_until


def test_from_the_launcher_card_to_text_typed_into_a_file_on_the_node(
    slurm: SlurmCluster, lab: Lab, browser: Browser, context: BrowserContext
) -> None:
    page = open_page(context, lab)
    launcher = context.pages[0]
    page.locator("[data-testid=launch]").wait_for()
    keep(page, "2-page")
    form.look_at_it(page)
    form.keep_a_preset(page, lambda: form.find_the_preset_in_another_browser(browser, lab))
    session_id = launch(page)
    keep(page, "3-running")
    session = lab.api(f"sessions/{session_id}")
    # It begins with the size of the window that it will follow.
    assert (session["request"]["resolution"], session["request"]["follow_window"]) == (
        "1280x800",
        True,
    )
    assert session["screen"] == "1280x800"
    assert slurm.job(session["slurm_job_id"])["QOS"] == "moonlight"
    looks.look_at_the_log(page, session_card(page, session_id))
    looks.look_at(page, "home")
    looks.look_at_nothing(context, lab)

    desktop = connect(context, page, session_id)
    typed = lab.user.home / "typed.txt"
    text = type_command(desktop, "echo moonlight-$USER-$SLURM_JOB_ID | tee ~/typed.txt", typed)
    assert text.strip() == f"moonlight-{lab.user.name}-{session['slurm_job_id']}"
    assert colours(keep(desktop, "4-desktop")) > 200

    # Come back by reloading, then in a second tab, then after closing both.
    desktop.reload()
    wait_for_desktop(desktop)
    second = viewer.show_it_in_two_windows(context, desktop)
    second.close()
    looks.speak(page, "ko")
    again = context.new_page()
    again.goto(f"{lab.url}moonlight/sessions/{session_id}/")
    wait_for_desktop(again)
    looks.look_at_the_viewer(again, "ko")
    looks.speak(page, "en")
    jupyter.open_it_from_jupyterlab(context, launcher, session)

    page.bring_to_front()
    listed.look_at_its_picture(page, session_id)
    listed.rename(page, session_id, "유동 해석 3")
    wait_until(lambda: again.title() == "▶ 유동 해석 3")
    assert again.title() == "▶ 유동 해석 3", "its own page has heard of it"
    session_card(page, session_id).locator("[data-testid=stop]").click()
    axe.check(page, "stop")
    page.locator("[data-testid=stop-confirm]").click()
    page.locator(f"[data-session-id={session_id}][data-status=cancelled]").wait_for()
    again.bring_to_front()
    again.locator("[data-testid=ended-page]").wait_for()
    looks.look_at(again, "ended", looks.WIDTHS[-1:])
    told = again.locator("[data-testid=ended-page]").inner_text()
    assert "You stopped it" in told and "유동 해석 3" in told

    page.bring_to_front()
    listed.delete(page, session_id)
    assert session_id not in str(lab.api("sessions"))
    listed.keep_one_that_nobody_uses(page, lab)


def test_the_keyboard_leads_to_typed_text_and_tools_it_outlives_its_jupyter_server_the_page_comes_back(
    lab: Lab, context: BrowserContext
) -> None:
    desktop, session_id = keyboard.to_the_desktop(context, lab)
    typed = lab.user.home / "typed-by-keyboard.txt"
    command = f"echo $SLURM_JOB_ID > ~/{typed.name}"
    assert type_command(desktop, command, typed, pointer=False).strip()
    looks.look_at_the_viewer(desktop, "en")
    viewer.use_the_bar(desktop)
    viewer.change_the_picture(desktop)
    viewer.send_keys_that_browsers_keep(desktop)
    viewer.carry_files(desktop, lab.user.home)
    viewer.look_at_the_connection(desktop)
    viewer.add_a_screen(context, desktop, lab.user.home)
    lab.kill()
    desktop.locator("[data-testid=connection-banner]").wait_for()
    keep(desktop, "6-interrupted")
    axe.check(desktop, "interrupted")
    lab.start()
    desktop.locator("[data-testid=connection-banner]").wait_for(state="hidden")
    wait_for_desktop(desktop)
    session = lab.api(f"sessions/{session_id}")
    assert session["status"] == "running"
    jupyter.stop_it_from_a_korean_notebook(context, lab, session)


def test_in_firefox_from_the_launcher_card_through_the_queue_to_typed_text(
    slurm: SlurmCluster, lab: Lab
) -> None:
    with firefox() as browser:
        slurm.scontrol("update", "PartitionName=viz", "State=DOWN")
        try:
            page = in_firefox.open_page(browser, lab)
            page.click("[data-testid=launch]:enabled")
            page.wait_text("[data-status=pending] [data-testid=queue-reason]", "switched off")
            page.wait_text("[data-status=pending] [role=status]", "tells you when it is ready")
            page.keep("7-pending")
            axe.check_in_firefox(page, "pending")
            [session] = [s for s in lab.api("sessions")["sessions"] if not s["ended_at"]]
            other = in_firefox.look_at_its_progress(browser, lab, session)
            other.goto("about:blank")  # to do something else
            page.wait("document.hidden")
        finally:
            slurm.scontrol("update", "PartitionName=viz", "State=UP")
        in_firefox.look_away_until_it_is_ready(browser, page, session["image_name"])
        desktop = in_firefox.connect(browser, page, session["session_id"])
        typed = lab.user.home / "typed-in-firefox.txt"
        text = in_firefox.type_command(desktop, f"echo $SLURM_JOB_ID > ~/{typed.name}", typed)
        assert text.strip() == session["slurm_job_id"]
        desktop.keep("firefox-desktop")
