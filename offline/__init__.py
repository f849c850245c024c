"""In the studio: a module or a folder for each command, and the parts that they share.

command             where it is, and its parts
render, join        rendering/ · prefetch · silence · video/
demo                demo, with rendering/
analyse             corpus/ · silence
candidates          candidates/ · pictures
pair, studio        pairing/
new, train          new · train
convert             convert · checkpoint/
dataset             dataset/
train-gan           training/
export, import      flucoma/
lab                 laboratory/ (its page, plots and tables are also those of other reports)
timeline            timeline/

All of them use options, progress (bars and lines for the user), readable and writable (a preset that a command changes).
"""
