# SPDX-License-Identifier: BSD-3-Clause
"""The commands of a document: the indented blocks of its sections, as a reader would type them."""
import re
import subprocess


class Section:
    def __init__(self, title):
        self.title = title
        self.commands = []


def is_complete(text):
    """Whether a shell would run @text, instead of waiting for the rest of it."""
    if text.endswith('\\'):
        return False
    done = subprocess.run(['bash', '-n', '-c', text], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False)
    return done.returncode == 0 and not done.stderr


def commands_of_block(lines):
    commands, text = [], ''
    for line in lines:
        text = f'{text}\n{line}' if text else line
        if text and is_complete(text):
            commands.append(text)
            text = ''
    if text:
        raise ValueError(f'no complete command: {text}')
    return commands


def sections_of(path):
    """A block is indented by four spaces, and follows an empty line."""
    sections, block, follows_empty = [], [], True
    for line in [*path.read_text().splitlines(), '']:
        if line.startswith('    ') and (block or follows_empty):
            block.append(line[4:])
            continue
        if block:
            sections[-1].commands += commands_of_block(block)
            block = []
        if re.match('##? ', line):
            sections.append(Section(line.lstrip('# ')))
        follows_empty = not line
    return sections
