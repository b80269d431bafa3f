// edt data import.
#include "core/base/error.h"
#include "data/import/import.h"
#include "launcher/commands/table.h"
#include "launcher/commands/write_dataset.h"
#include "launcher/options/options.h"

namespace edt {
namespace {

// Options that the layout of the input has no use for.
void refuse_unused(const OptionSet& options, const data::ImportOptions& import) {
  const bool is_safetensors = data::layout_of(import) == data::ImportLayout::kSafetensors;
  for (const std::string_view option : {"labels", "flipped-latents"}) {
    require<UsageError>(!is_safetensors || !options.given(option), "data import",
                        "--{} is of no use: {} is safetensors, which holds them too", option,
                        import.latents.string());
  }
  const auto check_key = [&](std::string_view option, const std::filesystem::path& file) {
    const std::filesystem::path& held = file.empty() ? import.latents : file;
    require<UsageError>(!options.given(option) || is_safetensors || held.extension() == ".npz",
                        "data import", "--{} is a name within .npz or .safetensors, {} is neither",
                        option, held.string());
  };
  check_key("latents-key", import.latents);
  check_key("labels-key", import.labels);
  check_key("flipped-key", import.flipped_latents);
}

}  // namespace

int data_import(std::span<const std::string> args, CommandContext& context) {
  using data::ImportLayout;
  using data::Moments;
  data::ImportOptions import;
  OptionSet options(
      "data import",
      "Turns encoded latents into shards. Streams: memory does not grow with the data.");
  options
      .add("latents", &import.latents,
           "folder of .npy files, one .npy or .npz, or .safetensors files")
      .positional()
      .required();
  options.add("labels", &import.labels, "folder of .npy files named as the latents, or one .npy");
  options.add("flipped-latents", &import.flipped_latents,
              "mirrored copies, laid out as the latents");
  options.add("out", &import.out, "directory of the data set").positional().required();
  options.add("layout", &import.layout,
              {{"auto", ImportLayout::kAuto},
               {"folders", ImportLayout::kFolders},
               {"array", ImportLayout::kArray},
               {"safetensors", ImportLayout::kSafetensors}},
              "what the latents are; auto: told from the path");
  options.add("latents-key", &import.latents_key, "name within .npz and .safetensors");
  options.add("labels-key", &import.labels_key, "name within .npz and .safetensors");
  options.add("flipped-key", &import.flipped_key, "name of mirrored copies within .safetensors");
  options.add("classes", &import.classes, "number of classes").at_least(1);
  options
      .add("image-size", &import.image_size,
           "side of the pictures, which must be eight times the latents'; 0: not checked")
      .unit("pixels")
      .at_least(0);
  options.add("scale", &import.scale, "factor between VAE latents and what is trained on").above(0);
  options.add("scaled", &import.scaled, "the input is multiplied by it already");
  options.add(
      "moments", &import.moments,
      {{"auto", Moments::kAuto},
       {"off", Moments::kOff},
       {"std", Moments::kStd},
       {"logvar", Moments::kLogvar}},
      "what the channels hold: latents (off), or mean and then standard deviation (std) or log "
      "variance (logvar); auto: latents, and refused where they may be something else");
  options.add("statistics", &import.statistics,
              "measure mean and deviation per channel, in a second pass");
  options.add("dtype", &import.type,
              {{"float16", h5::Type::kFloat16}, {"float32", h5::Type::kFloat32}},
              "of stored values");
  options.add("samples-per-shard", &import.samples_per_shard, "samples of one file").at_least(1);
  options.add("replace", &import.replace, kReplaceHelp);
  if (!read_options(options, args, context)) return kDone;
  refuse_unused(options, import);
  return write_dataset(context, "import", import.out, [&](const data::Progress& progress) {
    return data::import_data(import, progress);
  });
}

}  // namespace edt
