"""Sending without a mouse: every step is reached by Tab, and where one is can be seen."""

import pytest

from tests.browser.chromium import NEEDED

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

AROUND = 5
"""Pixels; the ring of the focus is drawn outside."""


def picture(page, target):
    """Return what the target and its close surroundings look like."""
    box = target.bounding_box()
    clip = {
        "x": box["x"] - AROUND,
        "y": box["y"] - AROUND,
        "width": box["width"] + 2 * AROUND,
        "height": box["height"] + 2 * AROUND,
    }
    return page.screenshot(clip=clip, animations="disabled")


def tab_to(page, target):
    """Press Tab until the target has the focus, and see that it has."""
    expect(target).to_be_visible()
    for _ in range(80):
        page.keyboard.press("Tab")
        if target.evaluate("target => target === document.activeElement"):
            break
    expect(target).to_be_focused()
    focused = picture(page, target)
    target.blur()
    assert picture(page, target) != focused
    target.focus()


def press(page, role, name):
    tab_to(page, page.get_by_role(role, name=name))
    page.keyboard.press("Enter")


def type_into(page, label, text):
    tab_to(page, page.get_by_label(label))
    page.keyboard.type(text)


def test_sending__needs_no_mouse(page, site):
    page.goto("/admin/etelecom/messagelog/")
    press(page, "link", "Send message")
    tab_to(page, page.get_by_label("Template"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    press(page, "button", "Continue")
    type_into(page, "To:", "0912 345 678")
    type_into(page, "Customer name", "Lan")
    type_into(page, "Order code", "DH-1")
    type_into(page, "Amount", "450000")
    type_into(page, "Delivery date", "12242026")
    press(page, "button", "Check the message")
    press(page, "button", "Send the message")

    expect(page.get_by_text("The provider took the message to 0912 345 678.")).to_be_visible()
    assert site.sent[-1].list_param["delivery_date"] == "24/12/2026"
