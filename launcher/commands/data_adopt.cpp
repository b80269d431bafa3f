// edt data adopt.
#include <fmt/ranges.h>

#include "core/options/options.h"
#include "data/import/adopt.h"
#include "data/inspect.h"
#include "launcher/commands/table.h"
#include "launcher/text/report.h"

namespace edt {

int data_adopt(std::span<const std::string> args, CommandContext& context) {
  using data::Moments;
  data::AdoptOptions adopt;
  OptionSet options(
      "data adopt",
      "Writes into the HDF5 files of another program the attributes that they lack to be "
      "a data set, as they are: nothing is copied, arrays are not touched.");
  options.add("data", &adopt.path, "directory of HDF5 files, or one")
      .alias("data.path")
      .positional()
      .required();
  options.add("classes", &adopt.classes, "number of classes; needed where the files do not say it")
      .at_least(0);
  options
      .add("image-size", &adopt.image_size,
           "side of the pictures, which must be --vae-factor times the latents'")
      .unit("pixels")
      .at_least(0);
  options.add("vae-factor", &adopt.vae_factor, "pixels for each element of a latent").range(1, 256);
  options.add("scale", &adopt.scale, "factor between VAE latents and what is trained on")
      .at_least(0)
      .single_precision()
      .default_is("0.18215, where the values look like it");
  options.add("moments", &adopt.moments, {{"auto", Moments::kAuto}, {"off", Moments::kOff}},
              "off: an array 'latents' of 8 channels, say, holds latents, no moments");
  if (!read_options(options, args, context)) return kDone;
  const data::AdoptReport report = data::adopt(adopt);
  const data::DatasetInfo info = data::describe(adopt.path);
  context.note("{}: {} samples of {} x {} x {}, {} classes, {} adopted{}{}\n", adopt.path.string(),
               info.samples, info.description.channels, info.description.height,
               info.description.width, info.description.classes, counted(report.adopted, "file"),
               report.whole > 0 ? fmt::format(", {} lacked nothing", report.whole) : "",
               report.written.empty() ? "" : fmt::format(": {}", fmt::join(report.written, ", ")));
  return kDone;
}

}  // namespace edt
