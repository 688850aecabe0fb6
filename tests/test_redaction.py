"""What the provider said, as it may be stored: no secret, no character that a database refuses."""

import base64
import html
import json
import pickle
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom import redaction
from django_etelecom.redaction import (
    _WIRE_WORDS,
    MASK,
    MAX_PAYLOAD,
    Secrets,
    clean_text,
    mask_text,
    redact,
)

OTP = "483920"
PASSWORD = 'mật "khẩu" <&> 7/9+%'


def redacted(payload, *secrets):
    return json.loads(redact(payload, secrets))


# --- Structures


def test_redact__nothing_is_blank():
    assert redact(None, [OTP]) == ""


def test_secrets__are_masked_as_those_they_stand_for_and_show_nothing():
    secrets = Secrets(["canary-password"]).__add__(["937415"])

    assert (
        redact({"a": "937415", "b": "CANARY-password"}, secrets)
        == f'{{"a": "{MASK}", "b": "{MASK}"}}'
    )
    assert "canary" not in f"{secrets!r} {secrets}"
    with pytest.raises(TypeError, match="not to be pickled"):
        pickle.dumps(secrets)


def test_redact__structure_without_secrets_comes_out_as_it_came():
    payload = {"status": "1", "code": "Chấp nhận", "n": [1, -2.5, True, None, {}, []]}

    assert redacted(payload) == payload
    assert "Chấp nhận" in redact(payload, [])


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"code": "otp 483920 is wrong"}, {"code": f"otp {MASK} is wrong"}),
        ({"code": "x483920483920y483920"}, {"code": f"x{MASK}y{MASK}"}),
        ({"code": ["a", ["483920"]]}, {"code": ["a", [MASK]]}),
        ({"code": 483920}, {"code": MASK}),
        ({"code": -4839201}, {"code": MASK}),
        ({"code": 483920.5}, {"code": MASK}),
        ({"code": 48392}, {"code": 48392}),
        ({"483920": "a", "x483920": "b"}, {MASK: "a", f"x{MASK}": "b"}),
        ({483920: "a"}, {MASK: "a"}),
        ({"status": "483920", "errorCode": 483920}, {"status": MASK, "errorCode": MASK}),
        ([OTP], [MASK]),
        ((OTP,), [MASK]),
    ],
)
def test_redact__secret_in_a_structure(payload, shown):
    assert redacted(payload, OTP) == shown


def test_redact__number_that_lost_the_secrets_leading_zeros():
    assert redacted({"code": 4839}, "004839") == {"code": MASK}


def test_redact__several_keys_that_become_one_are_all_kept():
    assert redact({"483920": 1, "551122": 2}, [OTP, "551122"]) == f'{{"{MASK}": 1, "{MASK}": 2}}'


@pytest.mark.parametrize(
    "word", ["status", "Status", " id_Omni_Mess ", "idOmniMess", "errorCode", "quantity"]
)
def test_redact__short_secret_leaves_the_wires_own_values(word):
    assert redacted({word: "1"}, "1") == {word: "1"}
    assert redacted({word: 1}, "1") == {word: 1}


def test_redact__secret_that_is_a_word_of_the_wire_leaves_the_key():
    assert redacted({"status": "1", "code": "status"}, "status") == {"status": "1", "code": MASK}


def test_redact__short_secret_is_masked_where_it_stands_alone():
    payload = {"code": "PIN 12 of 123", "other": 12, "more": 123, "12": "a12"}

    assert redacted(payload, "12") == {
        "code": f"PIN {MASK} of 123",
        "other": MASK,
        "more": 123,
        MASK: "a12",
    }


def test_redact__blank_secrets_mask_nothing():
    assert redacted({"code": "a b"}, "") == {"code": "a b"}


@pytest.mark.parametrize("key", ["list_param", "listParam", "ListParam", " LIST_PARAM "])
def test_redact__echoed_parameters_keep_their_names_only(key):
    payload = {key: {"otp": "1", "name": "An", "n": [5, None, {"x": True}]}, "status": "FAIL"}

    assert redacted(payload) == {
        key: {"otp": MASK, "name": MASK, "n": [MASK, MASK, {"x": MASK}]},
        "status": "FAIL",
    }


def test_redact__echoed_parameters_as_json_in_a_string():
    shown = redacted({"list_param": '{"otp":"483920","name":"An"}'})

    assert json.loads(shown["list_param"]) == {"otp": MASK, "name": MASK}


@pytest.mark.parametrize("echo", ['{"otp":', "483920", '"483920"', "", 483920, None, "[" * 100_000])
def test_redact__echo_of_any_other_form_is_masked_whole(echo):
    assert redacted({"list_param": echo}) == {"list_param": MASK}


def test_redact__names_of_an_echo_are_masked_too():
    assert redacted({"list_param": {OTP: "a"}}, OTP) == {"list_param": {MASK: MASK}}


# --- Text that is JSON, or nearly


def test_redact__json_text_is_read_before_it_is_masked():
    body = '{"status": "1", "code": "\\u0034\\u0038\\u0033920"}'

    assert redacted(body, OTP) == {"status": "1", "code": MASK}


def test_redact__bytes_are_read_as_text():
    assert redacted(b'{"status": "1", "code": "483920"}', OTP) == {"status": "1", "code": MASK}
    assert redact(bytearray(b"\xff 483920"), [OTP]) == f"\ufffd {MASK}"


def test_redact__key_given_twice_is_kept_twice():
    body = '{"status": "1", "status": "-1", "code": "483920"}'

    assert redact(body, [OTP]) == f'{{"status": "1", "status": "-1", "code": "{MASK}"}}'


def test_redact__the_documentations_own_sample():
    body = (
        '{ "phonenumber":"84836106872", "list_param":"{"otp":"483920","pin":"1"}", '
        '"createdatetime":"21/05/2021 14:43:22", "status":"1", "channel":"1", "errorCode": 1 }'
    )

    assert redact(body, ["1"]) == (
        f'{{ "phonenumber":"84836106872", "list_param":"{MASK}", '
        '"createdatetime":"21/05/2021 14:43:22", "status":"1", "channel":"1", "errorCode": 1 }'
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"list_param": {"otp": "483920"}, "status": FAIL}',
        '{"list_param":"{\\"otp\\":\\"483920\\"}", "status": FAIL}',
        '{"list_param":"{"otp":"483920',
        '{"list_param": {"a": {"otp": "483920"}}, x',
        "{'list_param': {'otp': '483920'}, x",
        '{"list_param ":"{"otp":"483920"}","status":"FAIL"}',
        '{" List Param\t":"{"otp":"483920"}","status":"FAIL"}',
        '{"list_param":["483920"],"status":FAIL}',
        '{"list_param":"otp=483920","status":FAIL}',
        '{"list_param":"otp="483920"","status":FAIL}',
        "{'list_param': '{\"otp\": \"483920\"}', 'status': 'FAIL'}",
    ],
)
def test_redact__echo_in_broken_json_goes_without_knowing_the_secret(body):
    assert OTP not in redact(body, [])


@pytest.mark.parametrize(
    "value",
    [
        'canary"}","status":"SUCCESS","x":"\\',
        'a"},"x":"canary',
        'a}","canary',
        "a},canary",
        "}canary",
    ],
)
def test_redact__value_that_looks_like_the_end_of_the_echo_hides_nothing_behind_it(value):
    rest = ',"createdatetime":"21/05/2021","status":"FAIL"}'

    shown = redact('{"list_param":"{"otp":"' + value + '"}"' + rest, [])

    assert shown == '{"list_param":"•••"' + rest


@pytest.mark.parametrize("value", ["a}canary", "a},canary", "{canary", "a", "a}}canary"])
def test_redact__braces_in_an_echo_that_is_no_text_hide_nothing(value):
    broken = '{"list_param":{"otp":"' + value + '"},"status":"FAIL",}'

    assert "canary" not in redact(broken, [])


def test_redact__short_secret_in_broken_json():
    assert redact('{"status":"1", "pin":"1", x', ["1"]) == f'{{"status":"1", "pin":"{MASK}", x'


# --- Free text


@pytest.mark.parametrize(
    "spelling",
    [
        PASSWORD,
        json.dumps(PASSWORD)[1:-1],
        json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
        json.dumps(PASSWORD)[1:-1].replace("/", "\\/"),
        json.dumps(json.dumps(PASSWORD))[3:-3],
        html.escape(PASSWORD),
        html.escape(PASSWORD).encode("ascii", "xmlcharrefreplace").decode(),
        "".join(f"&#{ord(character)};" for character in PASSWORD),
        "".join(f"&#X{ord(character):x};" for character in PASSWORD),
        quote(PASSWORD),
        quote(PASSWORD).lower(),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD, safe="/"),
        quote(quote(PASSWORD)),
        html.escape(json.dumps(PASSWORD)[1:-1]),
        "ma\u0323\u0302t" + PASSWORD[3:].replace("ẩ", "a\u0302\u0309"),
    ],
)
def test_mask_text__spellings_of_one_secret(spelling):
    assert mask_text(f"<p>before ({spelling}) after</p>", [PASSWORD]) == (
        f"<p>before ({MASK}) after</p>"
    )


@pytest.mark.parametrize("spelling", [r"\x34\x38\x33920", "%34%38%33%39%32%30", r"48\u0033\u00390"])
def test_mask_text__escaped_digits(spelling):
    assert mask_text(f"a {spelling} b", [OTP, "48390"]) == f"a {MASK} b"


@pytest.mark.parametrize("secret", ["a<b%41c", "a<b\\u0041c", "a<b&amp;c"])
@pytest.mark.parametrize("encode", [html.escape, quote, json.dumps])
def test_mask_text__secret_that_looks_like_an_escape_itself(secret, encode):
    assert mask_text(f"({encode(secret)})", [secret]).strip('()"') == MASK


def test_mask_text__escaped_apostrophe():
    assert mask_text(r"it\'s-me, you", ["it's-me"]) == f"{MASK}, you"


@pytest.mark.parametrize(
    ("encoded", "masked"),
    [
        ("cGF+fj8/Pj5zc35+", f"{MASK}5+"),
        ("YXBhfn4/Pz4+c3N+fg==", f"Y{MASK}+fg=="),
        ("YWJwYX5+Pz8+PnNzfn4=", f"YW{MASK}n4="),
        ("YWJjcGF+fj8/Pj5zc35+", f"YWJ{MASK}5+"),
        ("YXBhfn4_Pz4-c3N-fg==", f"Y{MASK}-fg=="),
        ("YWJwYX5-Pz8-PnNzfn4=", f"YW{MASK}n4="),
    ],
)
def test_mask_text__base64_with_other_text_around_the_secret(encoded, masked):
    assert b"pa~~??>>ss" in base64.urlsafe_b64decode(encoded.translate({43: "-", 47: "_"}))

    assert mask_text(f'"{encoded}"', ["pa~~??>>ss"]) == f'"{masked}"'


@pytest.mark.parametrize("spelling", ["483 920", "483-920", "4.8.3.9.2.0", "48 39 20", "483 - 920"])
def test_mask_text__spaced_digits(spelling):
    assert mask_text(f"code {spelling}.", [OTP]) == f"code {MASK}."


@pytest.mark.parametrize(
    "spelling",
    [
        "483,920",
        "483_920",
        "４８３９２０",
        "48\u200b39\u2060\ufeff20",
        "34 38 33 39 32 30",
        "343833393230",
        r"\x34\x38\x33\x39\x32\x30",
        "4/8/3/9/2/0",
    ],
)
def test_mask_text__digits_in_disguise(spelling):
    assert mask_text(f"otp {spelling} is wrong", ["483920"]) == f"otp {MASK} is wrong"


@pytest.mark.parametrize(
    "spelling",
    ["kx7-PQ2", "KX7PQ2", "kx7pq2", "k x 7 p q 2", "ＫＸ７ＰＱ２", "KX7\u00adPQ2", "4b5837505132"],
)
def test_mask_text__letters_and_digits_in_disguise(spelling):
    assert mask_text(f"code {spelling} is wrong", ["KX7PQ2"]) == f"code {MASK} is wrong"


def test_mask_text__letter_whose_small_form_is_longer():
    assert mask_text("İ483920İ", ["483920"]) == f"İ{MASK}İ"
    assert mask_text("aİb İstanbul", ["İSTANBUL"]) == f"aİb {MASK}"


@pytest.mark.parametrize("cut", ["483", "4839", "48392"])
def test_mask_text__secret_cut_off_at_the_end(cut):
    assert mask_text(f"code {cut}", [OTP]) == f"code {MASK}"


@pytest.mark.parametrize("cut", ["pass%", "pass%2", "pass&#3", "pass\\", "pass\\u00", "pass&wo"])
def test_mask_text__secret_cut_off_within_an_escape(cut):
    assert mask_text(f"code {cut}", ["pass&word"]) == f"code {MASK}"


@pytest.mark.parametrize("text", ["code 48", "code 4839 follows", "code 48392x"])
def test_mask_text__other_beginnings_stay(text):
    assert mask_text(text, [OTP]) == text


def test_mask_text__overlapping_secrets_are_one_mask():
    assert mask_text("xabcdefgx", ["abcde", "defg", "bcd"]) == f"x{MASK}x"


def test_mask_text__short_secret_at_word_boundaries_only():
    assert mask_text("1 of 11, (1) a1 1b 1", ["1"]) == f"{MASK} of 11, ({MASK}) a1 1b {MASK}"


@pytest.mark.parametrize("text", ["", "nothing here"])
def test_mask_text__without_a_secret_in_it(text):
    assert mask_text(text, [OTP]) == text


# --- What a database would refuse, and bounds


def test_redact__odd_characters_are_written_as_escapes():
    assert redact("a\x00b\ud800\nc", []) == "a\\u0000b\\ud800\nc"
    assert redact({"a\x00": "\udfff\n"}, []) == '{"a\\u0000": "\\udfff\\n"}'


def cyclic():
    cycle = {}
    cycle["again"] = [cycle, cycle]
    return cycle


def deep():
    nested = []
    for _level in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "payload",
    [
        cyclic(),
        deep(),
        {"a": 10**5000},
        {"a": float("nan"), "b": float("-inf")},
        {"a": {1, 2}, "b": object(), "c": b"x", ("d",): 1j},
        "[" * 1_000_000,
        '{"a": ' + "1" * 5000 + "}",
        {"status" + " " * 1_000_000: "1"},
        {"a": ["x"] * 1_000_000},
        "&#49;" * 2_000_000,
        "%31" * 3_000_000,
        "list_param{" * 100_000,
        "list_param" + " " * 1_000_000,
        "list_param " * 100_000 + '"',
        b"\xff" * 10_000_000,
    ],
    ids=range(15),
)
def test_redact__never_raises_and_is_bounded(payload):
    assert 0 < len(redact(payload, [OTP, "1", "111111"])) <= MAX_PAYLOAD


def test_redact__long_text_is_cut_visibly():
    assert redact("x" * 10_000_000, [OTP]) == "x" * (MAX_PAYLOAD - 1) + "…"


def test_redact__what_is_no_json_is_not_looked_into():
    assert redacted({"a": object(), "b": 10**5000}, OTP) == {"a": "<object>", "b": "…"}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda members: st.lists(members, max_size=4) | st.dictionaries(st.text(), members, max_size=4),
    max_leaves=8,
)
# A secret that is a part of one of the wire's own words cannot be told from it.
SECRETS = st.text(string.ascii_letters + string.digits, min_size=8, max_size=12).filter(
    lambda secret: not any(secret.lower() in word for word in _WIRE_WORDS)
)


@st.composite
def answers_with_a_secret(draw):
    """An answer, and a secret that stands somewhere in it."""
    secret = draw(SECRETS)
    text = draw(st.text(max_size=20)) + secret + draw(st.text(max_size=20))
    key = draw(st.sampled_from(["status", "list_param", "code", "idOmniMess", secret]))
    holder = draw(
        st.sampled_from(
            [
                text,
                {key: text},
                [{text: 1}],
                {key: {"a": [text]}},
                {key: json.dumps({"a": text})},
                {"list_param": json.dumps({text: text})},
                {key: int(secret) if secret.isdigit() else text},
            ]
        )
    )
    answer = draw(st.sampled_from([holder, [draw(JSON), holder], {"a": draw(JSON), "b": holder}]))
    return draw(st.sampled_from([answer, json.dumps(answer)])), secret


@given(answers_with_a_secret())
def test_redact__no_answer_leaks_a_secret(answer_and_secret):
    answer, secret = answer_and_secret

    assert secret not in redact(answer, [secret])


@given(JSON | st.text() | st.binary(), st.lists(st.text()))
def test_redact__any_answer_is_storable(answer, secrets):
    stored = redact(answer, secrets)

    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored


# --- One line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, ""),
        ("  Success ", "  Success "),
        ("Chấp nhận", "Chấp nhận"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("a\x00\x1b[0m", "a\\u0000\\u001b[0m"),
        ("\ud800", "\\ud800"),
        ("\u202eabc\u200e", "\\u202eabc\\u200e"),
        ("a\u2028b\x85", "a\\u2028b\\u0085"),
        (-108, "-108"),
        (1.5, "1.5"),
        (True, "true"),
        (10**5000, '"…"'),
        ({"a": 1}, "<dict>"),
    ],
    ids=range(13),
)
def test_clean_text__one_storable_line(text, line):
    assert clean_text(text, 50) == line


@pytest.mark.parametrize("text", ["123456", "12345\n", "\n\n\n", "x" * 10_000_000])
def test_clean_text__is_cut_visibly(text):
    line = clean_text(text, 5)

    assert len(line) == 5
    assert line.endswith("…")


def test_clean_text__just_as_long_as_allowed():
    assert clean_text("12345", 5) == "12345"


def test_mask_text__traces_nothing_back_where_there_is_no_secret(monkeypatch):
    def fail(*args):
        raise AssertionError("It takes most of the time.")

    monkeypatch.setattr(redaction._View, "_traced", fail)
    text = "%41&amp;\\u0041①1 2 3" * 400

    assert mask_text(text, ["912345678"]) == text
