"""Wrong changes that nobody thought of: a line drawn at random, and one of what can be done to it."""

import random
import re

NO_CODE = re.compile(r"\s*(?:$|//|/?\*|#|\}|[\w ]+:$|static const |struct |enum |union |typedef |extern )")
COMPARED = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&"}
SWAPPED = {"true": "false", "false": "true", "+": "-", "-": "+", "+=": "-=", "-=": "+=", "++": "--", "--": "++", "break": "continue"}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


def tokens(line, wanted):
    """Where these stand in the line, strings and comments left out."""
    code = STRING.sub(lambda found: " " * len(found[0]), line).partition("//")[0]
    return list(re.finditer(wanted, code))


def put(line, found, text):
    return line[:found.start()] + text + line[found.end():]


def operators(line):
    for found in tokens(line, r"(?<=[\w)\] ])(?:==|!=|<=|>=|(?<= )[<>](?= )|&&|\|\|)(?=[ \n]|$)"):
        yield put(line, found, COMPARED[found[0]])


def swapped(line):
    for found in tokens(line, r"\btrue\b|\bfalse\b|\bbreak\b|(?<= )(?:\+=|-=|\+|-)(?= )|\+\+|--"):
        yield put(line, found, SWAPPED[found[0]])


def numbers(line):
    for found in tokens(line, r"(?<![\w.])\d+(?![\w.])"):
        yield put(line, found, str(int(found[0]) + 1))


def conditions(line):
    found = re.fullmatch(r"(\s*(?:\} else )?(?:if|while) )\((.*)\)( \{)?", line)
    if found:
        yield f"{found[1]}(!({found[2]})){found[3] or ''}"
        yield f"{found[1]}((0) && ({found[2]})){found[3] or ''}"
        if "while" not in found[1]:
            yield f"{found[1]}((1) || ({found[2]})){found[3] or ''}"


def statements(line):
    if re.fullmatch(r"\s+(?:\(void\) ?)?[\w.>*\[\]-]+(?: [|&+-]?= .+|\(.*\)|\+\+|--);", line) and not re.match(r"\s+(?:return|goto)\b", line):
        yield re.match(r"\s*", line)[0] + ";"


def answers(line):
    found = re.fullmatch(r"(\s*return )([^;]+);", line)
    if found and found[2] not in ("0", "NULL", "true", "false"):
        yield f"{found[1]}0;"
    if found and found[2] == "0":
        yield f"{found[1]}-1;"


KINDS = (operators, swapped, numbers, conditions, statements, answers)


def changes_of(line):
    if NO_CODE.match(line):
        return []
    return [changed for kind in KINDS for changed in kind(line)]


def drawn(project, files, seed):
    """(file, number of the line from 0, the line, what it becomes), each line once."""
    chance = random.Random(seed)
    lines = [(file, number, line) for file in files
             for number, line in enumerate((project / file).read_text().splitlines()) if changes_of(line)]
    chance.shuffle(lines)
    for file, number, line in lines:
        yield file, number, line, chance.choice(changes_of(line))
