// edt data repack.
#include "core/options/options.h"
#include "data/import/repack.h"
#include "launcher/commands/feature_options.h"
#include "launcher/commands/table.h"
#include "launcher/commands/text_options.h"
#include "launcher/commands/write_dataset.h"

namespace edt {

int data_repack(std::span<const std::string> args, CommandContext& context) {
  data::RepackOptions repack;
  OptionSet options("data repack",
                    "Writes a data set anew in this program's layout, whatever its storage: each "
                    "sample by itself, uncompressed, with checksums. Values, labels and attributes "
                    "stay as they are; --features and --text put arrays and texts beside them. "
                    "Streams: memory does "
                    "not grow with the data.");
  options.add("in", &repack.in, "directory of shards, or one shard").positional().required();
  options.add("out", &repack.out, "directory of the new data set").positional().required();
  declare_features(options, repack.features);
  declare_texts(options, repack.text);
  options.add("samples-per-shard", &repack.samples_per_shard, "samples of one file").at_least(1);
  options.add("replace", &repack.replace, kReplaceHelp);
  if (!read_options(options, args, context)) return kDone;
  check_features(options, repack.features);
  check_texts(options, repack.text);
  return write_dataset(context, "repack", repack.out, [&](const data::Progress& progress) {
    return data::repack(repack, progress);
  });
}

}  // namespace edt
