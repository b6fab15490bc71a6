"""Models measured by tasks, and compared item by item.

asked.py        the flags of `launch.py evaluate`
command.py      the command: every task in the way that fits it
ways.py         which way that is
subject.py      the model that is measured
measure.py      tasks that need nothing but a run, as training measures them
prompted.py     tasks that are prompted for
fine_tuned.py   tasks that a run was fine-tuned for
results.py      what is found: rows of one schema, as JSON and CSV
averages.py     GLUE's and SuperGLUE's averages of them
text.py         as lines for a terminal
predictions.py  item by item: the files
store.py        the directory of an evaluation
report.py       its pages
examples.py     items as examples on a page
figures.py      points with intervals
said.py         predictions of several models, read to be paired
pairing.py      two models on the same items: tests, and where they differ
paired.py       that as a table, JSON and CSV
paired_page.py  its page
reporting.py    `launch.py report`
"""
