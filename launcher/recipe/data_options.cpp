#include "launcher/recipe/data_options.h"

namespace edt {

void DataOptions::declare(OptionSet& options) {
  options.section("data", "Data");
  options.add("data.path", &path, "data set: a directory of HDF5 shards")
      .alias("data")
      .alias("path")  // as before there was a process.path
      .required()
      .absolute()
      .free_to_change();  // what is in it is compared
  options.add("data.order", &order,
              {{"global", SampleOrder::kGlobal}, {"shard-local", SampleOrder::kShardLocal}},
              "shuffle the whole set, or shards and then within a window");
  options.add("data.window", &window, "window of the shard-local order")
      .unit("samples")
      .at_least(1)
      .used_when("data.order", {"shard-local"});
  options
      .add("data.holdout", &holdout,
           "share of the samples that is never trained on, drawn by train.seed and their numbers")
      .range(0, 0.5);
  options.add("data.flip", &flip, "draw the flipped copy half of the time, where there is one");
  options.add("data.normalize", &normalize, "subtract the channel mean, divide by the deviation");
  options
      .add("data.normalize-eps", &normalize_eps,
           "is added to the variance by which that divides; samples come back without it, as "
           "REPA-E does with 1e-4")
      .at_least(0)
      .used_when("data.normalize", {"on"});
  options.add("data.verify", &verify, "check block checksums at first touch").free_to_change();
  options.add("data.prefetch", &prefetch, "micro-batches read ahead")
      .range(1, 1024)
      .free_to_change();
  options.add("data.cache", &cache, "decoded samples kept per rank, where shards are compressed")
      .unit("MiB")
      .range(0, 1 << 30)
      .free_to_change();
}

}  // namespace edt
