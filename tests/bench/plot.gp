# plot.gp - bars of all contenders in the three shapes; a logarithmic axis, because Slurm is far away.
#
#	gnuplot -e "data='FILE'; out='FILE'; text=0|1" plot.gp
if (text) set terminal dumb noenhanced 132 40 ; else set terminal pngcairo noenhanced size 1100,560 font "DejaVu Sans,10" background "white"
set output out
set datafile separator "\t"
set title "Wall time as a multiple of a bare posix_spawn loop of the same jobs"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set logscale y
set yrange [0.8:*]
set ylabel "times the loop"
set xtics rotate by -30 scale 0
set grid ytics
set key top left
if (text) set xtics norotate
name = text ? 5 : 1 # short where there is little room
plot data using 2:xtic(name) title "1,000 independent", '' using 3 title "chain of 200", '' using 4 title "1, 500, 1"
