"""read_conll: files as they are published, with their comments and numbers."""

import pytest

from keras_dl.text import read_conll

# As Universal Dependencies publishes them: comments, a word that is written as
# one and parsed as two, one that is not written, a word with a space.
CONLLU = """\
# newdoc id = weblog
# sent_id = fr-1
# text = Il va au marché, 10 000 fois
1\tIl\til\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tva\taller\tVERB\t_\t_\t0\troot\t_\t_
3-4\tau\t_\t_\t_\t_\t_\t_\t_\t_
3\tà\tà\tADP\t_\t_\t5\tcase\t_\t_
4\tle\tle\tDET\t_\t_\t5\tdet\t_\t_
5\tmarché\tmarché\tNOUN\t_\t_\t2\tobl\t_\tSpaceAfter=No
6\t,\t,\tPUNCT\t_\t_\t2\tpunct\t_\t_
7\t10 000\t10 000\tNUM\t_\t_\t8\tnummod\t_\t_
8\tfois\tfois\tNOUN\t_\t_\t2\tobl\t_\t_
8.1\tva\taller\tVERB\t_\t_\t_\t_\t2:conj\t_

# sent_id = fr-2
# text = # 1 !
1\t#\t#\tSYM\t_\t_\t0\troot\t_\t_
2\t1\t1\tNUM\t_\t_\t1\tnummod\t_\t_
3\t!\t!\tPUNCT\t_\t_\t1\tpunct\t_\t_

"""
# As GermEval 2014.
GERMEVAL = """\
#\thttp://de.wikipedia.org/wiki/Manfred_Korfmann\t[2009-10-17]
1\tAufgrund\tO\tO
2\tTroia\tB-LOC\tO

#\thttp://de.wikipedia.org/wiki/Ada\t[2010-01-01]
1\tAda\tB-PER\tO
"""
# As MultiCoNER: comments with as many columns as words have.
MULTICONER = """\
# id 8cb0 domain=train
the _ _ O
king _ _ B-PER

# id 9fe1 domain=train
# _ _ O
"""
# As WNUT 2017: no comments, but words that begin so.
WNUT = "#ff\tO\n@paul\tO\n#london\tB-location\n\n#\tO\n5\tO\n"


def read(tmp_path, text, **arguments):
    path = tmp_path / "train.txt"
    path.write_bytes(text.encode())
    return read_conll(path, **arguments)


def by_hand(text):
    """The words of CoNLL-U and their parts of speech."""
    sentences = [block.splitlines() for block in text.split("\n\n")]
    rows = [
        [
            line.split("\t")
            for line in block
            if not line.startswith("#") and line.split("\t")[0].isdigit()
        ]
        for block in sentences
    ]
    rows = [block for block in rows if block]
    return tuple([[row[k] for row in block] for block in rows] for k in (1, 3))


def test_conllu(tmp_path):
    expected = by_hand(CONLLU)
    assert expected[0][1] == ["#", "1", "!"]
    assert expected[0][0][6] == "10 000"
    given = {"column": 3, "separator": "\t"}
    assert read(tmp_path, CONLLU, **given) == expected
    assert read(tmp_path, "\ufeff" + CONLLU, **given) == expected
    assert read(tmp_path, CONLLU, word_column=1, **given) == expected
    assert read(tmp_path, CONLLU, comments="#", **given) == expected
    lemmas = read(tmp_path, CONLLU, column=3, separator="\t", word_column=2)
    assert lemmas[0][0][:3] == ["il", "aller", "à"]
    # A word with a space needs the separator.
    with pytest.raises(ValueError, match="10 columns.* 12 in line 11 of"):
        read(tmp_path, CONLLU, column=3)
    spaces = CONLLU.replace("10 000", "10000")
    assert read(tmp_path, spaces, column=3) == by_hand(spaces)


def test_comments_of_other_files(tmp_path):
    words = [["Aufgrund", "Troia"], ["Ada"]]
    assert read(tmp_path, GERMEVAL, column=2) == (
        words,
        [["O", "B-LOC"], ["B-PER"]],
    )
    with pytest.raises(ValueError, match="Line 1 of .*train.txt may be a comm"):
        read(tmp_path, MULTICONER)
    expected = [["the", "king"], ["#"]], [["O", "B-PER"], ["O"]]
    assert read(tmp_path, MULTICONER, comments="# id") == expected
    assert read(tmp_path, MULTICONER, comments=None)[0][0] == [
        "#",
        "the",
        "king",
    ]


def test_words_that_begin_as_comments_do(tmp_path):
    words, tags = read(tmp_path, WNUT)
    assert words == [["#ff", "@paul", "#london"], ["#", "5"]]
    assert tags == [["O", "O", "B-location"], ["O", "O"]]
    # In the place of a comment: a word with a tag that others have.
    assert read(tmp_path, "# NN O\n2 CD O\n")[0] == [["#", "2"]]
    with pytest.raises(ValueError, match="Line 1 .* '# NN B'"):
        read(tmp_path, "# NN B\n2 CD O\n")
    # In a sentence there are no comments.
    with pytest.raises(ValueError, match="3 in line 2 .*`comments` says"):
        read(tmp_path, "a O\n# text 1\n")
    with pytest.raises(ValueError, match="1 in line 1 .*`comments` says"):
        read(tmp_path, "#tag\na O\n")


def test_the_first_column_may_count_words(tmp_path):
    assert read(tmp_path, "1 a O\n2 b X\n\n1 c X\n") == (
        [["a", "b"], ["c"]],
        [["O", "X"], ["X"]],
    )
    # Numbers that are words.
    assert read(tmp_path, "1 O\n2 O\n\n1 O\n")[0] == [["1", "2"], ["1"]]
    alone = "1 CD O\n\n1 CD O\n"
    with pytest.raises(ValueError, match="`word_column=0`, or .* in line 1"):
        read(tmp_path, alone)
    assert read(tmp_path, alone, word_column=0)[0] == [["1"], ["1"]]
    assert read(tmp_path, alone, word_column=1)[0] == [["CD"], ["CD"]]
    assert read(tmp_path, "1 O\n", column=None, word_column=0)[0] == [["1"]]
    assert read(tmp_path, "1 CD O\n2 CD O\n\na DT O\n")[0] == [
        ["1", "2"],
        ["a"],
    ]
    assert read(tmp_path, "1 a O\n2 b O\n", word_column=0)[0] == [["1", "2"]]
    assert read(tmp_path, "1-2 CD O\n1.1 CD O\n")[0] == [["1-2", "1.1"]]
    with pytest.raises(
        ValueError, match="`column`.* not 1, that of the wo.*=1"
    ):
        read(tmp_path, "1 a O\n2 b X\n", column=1)


def test_files_to_predict_on(tmp_path):
    assert read(tmp_path, "a\nb\n\nc\n", column=None) == (
        [["a", "b"], ["c"]],
        None,
    )
    assert read(tmp_path, "a NN O\n", column=None) == ([["a"]], None)


def test_tags_that_there_may_be(tmp_path):
    given = {"tag_names": ["O", "B"]}
    assert read(tmp_path, "a O\nb B\n", **given)[1] == [["O", "B"]]
    message = r"tags of \('O', 'B'\)\. Received: 'I' in line 3 of .*train.txt"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, "a O\n\nb I\n", **given)
    # The same says that a line is no comment.
    assert read(tmp_path, "# O\na O\n", **given)[0] == [["#", "a"]]


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("", {}, "must have words.*none in .*train.txt"),
        ("# a\n\n-DOCSTART- -X-\n", {"comments": "#"}, "must have words"),
        ("\n", {"column": None}, "must have words"),
        ("a\tO\n\tO\n", {"separator": "\t"}, "a word and a tag.* line 2 of"),
        ("a\tO\nb\t\n", {"separator": "\t"}, "a word and a tag.* line 2 of"),
        ("a O\n", {"separator": ""}, "`separator` must be a string"),
        ("a O\n", {"separator": 1}, "`separator`.*=1"),
        ("a O\n", {"comments": ""}, "`comments` must be.*=''"),
        ("a O\n", {"comments": True}, "`comments` must be.*=True"),
        ("a O\n", {"column": True}, "`column`.*column=True"),
        ("a O\n", {"word_column": 2}, "`word_column`.*word_column=2"),
        (
            "a O\n",
            {"word_column": 1},
            "`column`.*not 1, that of the words",
        ),
        ("a O\rb\r", {}, "2 columns.* 1 in line 2 of"),
    ],
)
def test_errors(text, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text, **arguments)
