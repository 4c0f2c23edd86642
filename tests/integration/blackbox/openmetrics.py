# SPDX-License-Identifier: BSD-3-Clause
"""
A strict reader of OpenMetrics 1.0 text: what the specification allows and understudyd uses; all
else is an error. It is there where no parser of others is installed, and forgives less.
"""
import math
import re

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
VALUE = r'"((?:[^"\\\n]|\\[\\"n])*)"'
LABEL = re.compile(rf'([a-zA-Z_][a-zA-Z0-9_]*)={VALUE}')
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{LABEL.pattern},?)+)\}})? (\S+)')
HEAD = re.compile(rf'# (TYPE|UNIT|HELP) ({NAME}) (.+)')
# What may follow the family's name in its samples.
SUFFIXES = {'gauge': [''], 'counter': ['_total'], 'info': ['_info'], 'stateset': [''],
            'summary': ['_count', '_sum'], 'histogram': ['_bucket', '_count', '_sum']}


class Wrong(AssertionError):
    pass


def need(condition, *words):
    if not condition:
        raise Wrong(' '.join(map(str, words)))


def labels_of(text):
    found = LABEL.findall(text or '')
    need(','.join(f'{name}="{value}"' for name, value in found) == (text or ''), 'labels:', text)
    need(len({name for name, _ in found}) == len(found), 'a label twice:', text)
    return {name: re.sub(r'\\(.)', lambda m: '\n' if m[1] == 'n' else m[1], value)
            for name, value in found}


class Family:
    def __init__(self, name):
        self.name, self.type, self.unit, self.help = name, None, '', None
        self.samples = []  # (name, labels, value)

    def add(self, name, labels, value):
        suffix = name[len(self.name):]
        need(suffix in SUFFIXES[self.type], name, 'is no sample of', self.type, self.name)
        need((name, labels) not in [(n, l) for n, l, _ in self.samples[-40:]], name, labels, 'twice')
        need(suffix in ('', '_sum') or value >= 0, name, value)
        if self.type == 'info':
            need(value == 1, name, value)
        if self.type == 'stateset':
            need(value in (0, 1) and self.name in labels, name, labels, value)
        self.samples.append((name, labels, value))

    def check(self):
        need(self.type and self.help, self.name, 'lacks a TYPE or a HELP')
        need(not self.unit or self.name.endswith(f'_{self.unit}'), self.name, 'is not in', self.unit)
        if self.type == 'histogram':
            self.check_histogram()
        if self.type == 'stateset':
            groups = {}
            for _, labels, value in self.samples:
                key = tuple((k, v) for k, v in labels.items() if k != self.name)
                groups[key] = groups.get(key, 0) + value
            need(all(total == 1 for total in groups.values()), self.name, 'is in no one state')

    def check_histogram(self):
        groups = {}
        for name, labels, value in self.samples:
            key = tuple((k, v) for k, v in labels.items() if k != 'le')
            groups.setdefault(key, {'bounds': []})
            if name.endswith('_bucket'):
                groups[key]['bounds'].append((float(labels['le']), value))
            else:
                groups[key][name.rsplit('_', 1)[1]] = value
        for group in groups.values():
            bounds = group['bounds']
            need(bounds == sorted(bounds) and bounds[-1][0] == math.inf, self.name, bounds)
            need([v for _, v in bounds] == sorted(v for _, v in bounds), self.name, bounds)
            need(group['count'] == bounds[-1][1] and 'sum' in group, self.name, group)


def parse(text):
    """Returns the families by name."""
    families, family = {}, None
    need(text.endswith('\n# EOF\n') and text.count('# EOF') == 1, 'does not end with # EOF')
    for line in text.splitlines()[:-1]:
        head, sample = HEAD.fullmatch(line), SAMPLE.fullmatch(line)
        if head:
            kind, name, rest = head.groups()
            if not family or family.name != name:
                need(name not in families, name, 'is in two places')
                family = families[name] = Family(name)
            need(not family.samples, 'a', kind, 'after samples of', name)
            need(kind != 'TYPE' or rest in SUFFIXES, name, 'has the type', rest)
            setattr(family, kind.lower(), rest)
            continue
        need(sample, 'no line of OpenMetrics:', line)
        need(family and sample[1].startswith(family.name), line, 'is outside of its family')
        value = float(sample[sample.re.groups])
        need(math.isfinite(value), line)
        family.add(sample[1], labels_of(sample[2]), value)
    names = [f'{f.name}{s}' for f in families.values() for s in SUFFIXES[f.type]]
    need(len(names) == len(set(names)), 'families that cannot be told apart')
    for each in families.values():
        each.check()
    return families


def value(families, sample, **labels):
    """The value of the one sample with these labels, and maybe others."""
    found = [v for f in families.values() for n, l, v in f.samples
             if n == sample and labels.items() <= l.items()]
    need(len(found) == 1, len(found), 'samples', sample, labels)
    return found[0]
