// edt data import.
#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/options/options.h"
#include "data/import/import.h"
#include "data/inspect.h"
#include "launcher/commands/feature_options.h"
#include "launcher/commands/table.h"
#include "launcher/commands/text_options.h"
#include "launcher/commands/write_dataset.h"

namespace edt {
namespace {

// Nothing is wrong with such labels, but seldom they are what was meant.
void note_labels(const data::ImportOptions& import) {
  const data::DatasetInfo info = data::describe(import.out);
  const std::vector<std::uint64_t>& counts = info.class_counts;
  if (!info.description.class_names.empty() || import.unlabelled) return;
  const auto is_used = [](std::uint64_t samples) { return samples > 0; };
  const auto most = counts.rend() - std::find_if(counts.rbegin(), counts.rend(), is_used) - 1;
  if (import.classes == 0 && most + 1 < std::ssize(counts)) {
    log::warning("--classes is not given: {} classes are taken, the largest label is {}",
                 counts.size(), most);
  }
  if (most > 0 && counts[0] == 0 &&
      std::all_of(counts.begin() + 1, counts.begin() + most + 1, is_used)) {
    log::warning("labels are 1 to {}, and no sample has 0: do they count from 1?", most);
  }
}

void declare_sequences(OptionSet& options, data::SequenceOptions& sequences) {
  using data::SequenceCut;
  options
      .add("length", &sequences.length,
           "the input are sequences, [N, frames, numbers] or [frames, numbers] in each file, and "
           "the data set has them with so many frames; 0: latents of pictures")
      .unit("frames")
      .range(0, 4096);
  options.add("cut", &sequences.cut,
              {{"none", SequenceCut::kNone},
               {"first", SequenceCut::kFirst},
               {"windows", SequenceCut::kWindows}},
              "what becomes of longer sequences: they are refused, their first frames are taken, "
              "or windows of them");
  options.add("window-step", &sequences.window_step, "from one window to the next; 0: --length")
      .unit("frames")
      .range(0, 1 << 24)
      .used_when("cut", {"windows"});
  options.add("short", &sequences.skips_short, {{"refuse", false}, {"skip", true}},
              "what becomes of shorter ones: they are refused, or left out");
  options.add("frames", &sequences.frames,
              "what is known of each frame, [N, frames, numbers], laid out as the sequences; not "
              "given: beside them, if there is any");
  options.add("frames-key", &sequences.frames_key, "name within .npz, .safetensors and HDF5")
      .default_is("frames or conditions");
  options
      .add("lengths-key", &sequences.lengths_key,
           "likewise, of how many frames of each sequence count")
      .default_is("lengths; taken when it is there");
}

// Refuses what has no effect; sequences are stored as float32 where nothing else was said.
void take_sequences(const OptionSet& options, data::ImportOptions& import) {
  if (!import.sequences.is_on()) {
    for (const char* option : {"cut", "short", "frames", "frames-key", "lengths-key"}) {
      require<UsageError>(!options.given(option), "import",
                          "--{} is of sequences, and --length, which says how long they are to be, "
                          "is not given",
                          option);
    }
    return;
  }
  for (const char* option : {"flipped-latents", "flipped-key", "image-size", "vae-factor", "scale",
                             "scaled", "moments", "statistics", "features", "text"}) {
    const std::string_view more =
        option == std::string_view("statistics") ? ", which always have them"
        : option == std::string_view("text")
            ? ": edt data repack adds texts, one for each sequence of the set"
            : "";
    require<UsageError>(!options.given(option), "import",
                        "--{} is of latents of pictures, and --length {} asks for sequences{}",
                        option, import.sequences.length, more);
  }
  if (!options.given("dtype")) import.type = h5::Type::kFloat32;
}

}  // namespace

int data_import(std::span<const std::string> args, CommandContext& context) {
  using data::ClassOrder;
  using data::ImportLayout;
  using data::Moments;
  data::ImportOptions import;
  OptionSet options(
      "data import",
      "Turns encoded latents, or sequences of numbers (--length), into shards. Streams: memory "
      "does not grow with the data.");
  options
      .add("latents", &import.latents,
           "a file (.npy, .npz, .safetensors, HDF5), a folder of them, one with a dataset.json (or "
           "a zip of it), or a folder for each class")
      .positional()
      .required();
  options.add(
      "labels", &import.labels,
      "folder of files named as the latents, one array of all labels, or a .json; not given: "
      "beside the latents");
  options.add("unlabelled", &import.unlabelled,
              "there are no labels: all samples are of one class");
  options.add("flipped-latents", &import.flipped_latents,
              "mirrored copies, laid out as the latents; not given: beside them, if there are any");
  options.add("out", &import.out, "directory of the data set").positional().required();
  options.add("layout", &import.layout,
              {{"auto", ImportLayout::kAuto},
               {"array", ImportLayout::kArray},
               {"folders", ImportLayout::kFolders},
               {"json", ImportLayout::kJson},
               {"classes", ImportLayout::kClasses}},
              "what the latents are; auto: told from what is there");
  options
      .add("latents-key", &import.latents_key,
           "name within .npz, .safetensors and HDF5 (there also a group, or GROUP/*/NAME)")
      .default_is("latents or moments; sequences, samples or motion");
  options.add("labels-key", &import.labels_key, "likewise (HDF5: or GROUP/*@ATTRIBUTE)")
      .default_is("labels or label");
  options.add("flipped-key", &import.flipped_key, "likewise, of mirrored copies")
      .default_is("that of the latents with _flip, _flipped or _hflip; taken when it is there");
  options.add(
      "class-order", &import.class_order,
      {{"auto", ClassOrder::kAuto}, {"name", ClassOrder::kName}, {"number", ClassOrder::kNumber}},
      "labels of class folders: places of their names, or of the numbers that these are");
  options.add("classes", &import.classes, "number of classes")
      .at_least(0)
      .default_is("of class folders and one-hot labels theirs, else 1000");
  options
      .add("image-size", &import.image_size,
           "side of the pictures, which must be --vae-factor times the latents'; 0: not checked")
      .unit("pixels")
      .at_least(0);
  options
      .add("vae-factor", &import.vae_factor,
           "pixels for each element of a latent: 8 of Stable Diffusion's VAE, 16 of VA-VAE and "
           "MAR's")
      .range(1, 256);
  options.add("scale", &import.scale, "factor between VAE latents and what is trained on")
      .above(0)
      .single_precision();
  options.add("scaled", &import.scaled, "the input is multiplied by it already")
      .default_is("on, where the values look like it");
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
  options.add("statistics-from", &import.statistics_from,
              "or take them from this file of arrays: mean and std, or REPA-E's latents_bias and "
              "latents_scale");
  options
      .add("dtype", &import.type,
           {{"float16", h5::Type::kFloat16}, {"float32", h5::Type::kFloat32}}, "of stored values")
      .default_is("float16, of sequences float32");
  declare_features(options, import.features);
  declare_texts(options, import.text);
  declare_sequences(options, import.sequences);
  options.add("samples-per-shard", &import.samples_per_shard, "samples of one file").at_least(1);
  options.add("replace", &import.replace, kReplaceHelp);
  if (!read_options(options, args, context)) return kDone;
  check_features(options, import.features);
  check_texts(options, import.text);
  take_sequences(options, import);
  import.scale_is_given = options.given("scale");
  const int status = write_dataset(
      context, "import", import.out,
      [&](const data::Progress& progress) { return data::import_data(import, progress); });
  if (status == kDone) note_labels(import);
  return status;
}

}  // namespace edt
