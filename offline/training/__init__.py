"""StyleGAN3 training, written from the papers' formulas.

command, options, work      the command line, and what the user sees of a run
configuration               the settings of a run, its recipes
run, run_folder, stopping   the loop; snapshots and the log; signals
plan                        what a run will take, measured
batches, order, chance      the data of an iteration, and all random numbers, by name
iteration                   one step of G, of D, now and then of R1, then the averages
generator, discriminator, lowpass, losses, blur, averages, adaptation, augmentation/
start, network_file         the networks at the beginning: new, or from a file
processes                   several processes that train one network
score/, grids, alarm, tensorboard
                            scores, sheets of images, warnings, reports elsewhere
reference                   all of this beside reference values: scripts/training_reference
"""
