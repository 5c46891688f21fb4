"""Makes InterDigits-*.otf: the tabular digits and , . : ; of Inter as a font of their own.

egui cannot switch on OpenType features, and Inter's default digits differ in width, so columns of
numbers would not line up. This font comes before Inter in the fallback chain and supplies only these
characters. Needs fontTools: python3 make_digits.py
"""

from fontTools import subset
from fontTools.ttLib import TTFont

for weight in ("Regular", "SemiBold"):
    font = TTFont(f"Inter-{weight}.otf")
    tabular = {}
    gsub = font["GSUB"].table
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in gsub.LookupList.Lookup[index].SubTable:
                    table = getattr(table, "ExtSubTable", table)
                    tabular.update(getattr(table, "mapping", {}))
    glyphs = {ord(c): tabular[font.getBestCmap()[ord(c)]] for c in "0123456789,.:;"}
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap.update(glyphs)
    options = subset.Options(layout_features=[], hinting=True, notdef_outline=True, name_IDs=[0, 1, 2, 5, 13, 14])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=glyphs)
    subsetter.subset(font)
    for name in font["name"].names:
        if name.nameID == 1:
            name.string = "InterDigits"
    font.save(f"InterDigits-{weight}.otf")
