"""A report: what is known of artifacts and runs, on one page.

gathering  finds artifacts and runs
building   from them to facts, with what can be said of each contender
facts      the facts, as data; dominance: the rule by which contenders are ruled out
wording    figures as text; tables and sections: the page as data
drawing    matplotlib to SVG without inline styles; charts: what is drawn
html, markdown, document: the three formats
"""
