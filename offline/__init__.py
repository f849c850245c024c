"""In the studio: a module or a folder for each command, and the parts that they share.

command             where it is, and its parts
render, join, demo  render · render_options · join · material (sound or show to ticks) · prefetch · hashes · silence ·
                    relaxation (the flow constraint) · video/
analyse             analyse · corpus · sound_map (principal components and UMAP) · map_picture
candidates          candidates · drawing · latent_draw · candidate_files · pictures · appearance
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
