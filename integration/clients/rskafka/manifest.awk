# Leaves out of rskafka's manifest what only its benchmarks and unit tests need: that halves the build.
/^\[/ { skip = ($0 ~ /criterion|proptest|^\[\[bench/) }
!skip
