// edt data encode: pictures into a data set.
#include <omp.h>

#include <iostream>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "data/walk.h"
#include "data/writer.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/commands/table.h"
#include "launcher/commands/write_dataset.h"
#include "launcher/device/device_options.h"
#include "launcher/encode/encode_run.h"
#include "launcher/encode/vae_encoder.h"
#include "launcher/signals.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

struct DataEncodeOptions {
  EncodeRequest request;
  VaeOptions vae;
  DeviceOptions device;
  int decode_threads = 0;

  void declare(OptionSet& options);
};

void DataEncodeOptions::declare(OptionSet& options) {
  using data::ClassOrder;
  data::EncodeOptions& encode = request.options;
  options
      .add("pictures", &encode.list.pictures,
           "a folder with a folder for each class, or tar archives: of class folders (also "
           "ImageNet's tar of tars), or webdataset's with labels in .cls")
      .positional_list()
      .required();
  vae.declare(options, "autoencoder: a safetensors file, or a folder as diffusers saves one", false)
      .required();
  options.add("out", &encode.out, "directory of the data set").required();
  options
      .add("image-size", &encode.image_size,
           "side of the centre crop, to which pictures are scaled as the published extractors do")
      .unit("pixels")
      .range(8, 4096);
  options.add("labels", &encode.list.labels,
              "list of the pictures that are taken and their labels: a name and a number a line");
  options
      .add("classes", &encode.list.classes, "number of classes; 1: all pictures are of one class")
      .at_least(0)
      .default_is("that of the class folders, or what the largest label needs");
  options.add(
      "class-order", &encode.list.class_order,
      {{"auto", ClassOrder::kAuto}, {"name", ClassOrder::kName}, {"number", ClassOrder::kNumber}},
      "labels of class folders: places of their names, or of the numbers that these are");
  options.add("store", &encode.moments, {{"moments", true}, {"latents", false}},
              "mean and deviation, from which every epoch draws anew, or one draw for ever");
  options.add("seed", &encode.seed, "of that draw").used_when("store", {"latents"});
  options.add("flipped", &encode.flipped,
              "encode mirrored pictures too: they are not the mirrored latents");
  options.add("hog", &encode.hog, kHogHelp);
  options.add("broken", &request.skip_broken, {{"stop", false}, {"skip", true}},
              "what becomes of pictures that cannot be decoded: all are looked at before the first "
              "is encoded. skip leaves them out, and lists them in left-out.tsv");
  options.add("exif-orientation", &encode.decode.apply_orientation,
              "turn pictures as their cameras say; the published extractors do not");
  options
      .add("most-pixels", &encode.decode.most_pixels,
           "larger pictures are broken: refused before memory is taken")
      .at_least(1);
  options.add("batch", &encode.batch, "pictures that are encoded together").range(1, 4096);
  options.add("decode-threads", &decode_threads, "threads of each rank that decode pictures")
      .range(0, 1024)
      .default_is("two beside an encoder on the processor, else one for each core");
  options.add("dtype", &encode.type,
              {{"float16", h5::Type::kFloat16}, {"float32", h5::Type::kFloat32}},
              "of stored values");
  options
      .add("samples-per-shard", &encode.samples_per_shard,
           "samples of one file, which one rank encodes: what is lost when it is stopped")
      .at_least(1);
  options.add("replace", &encode.replace, kReplaceHelp);
  device.declare(options, "");
}

// A bar for each phase, on rank 0.
class EncodeProgress {
 public:
  EncodeProgress(CommandContext& context, VaeEncoder& encoder, const data::EncodeOptions& options)
      : context_(context), encoder_(encoder), options_(options) {}

  void update(std::string_view phase, std::uint64_t done, std::uint64_t total) {
    if (phase != phase_) begin(phase, done, total);
    bar_->update(static_cast<std::int64_t>(done), share(done));
  }
  void end() { bar_.reset(); }

 private:
  void begin(std::string_view phase, std::uint64_t done, std::uint64_t total) {
    bar_.reset();
    phase_ = phase;
    first_ = done;
    if (phase_ == "encode" && !context_.quiet) {
      library_seconds_ = encoder_.ceiling_seconds(options_.image_size);
    }
    begin_ = Clock::now();
    bar_ =
        std::make_unique<Progress>(Progress::Settings{.label = phase_,
                                                      .unit = "pictures",
                                                      .begin = static_cast<std::int64_t>(done) - 1,
                                                      .end = static_cast<std::int64_t>(total),
                                                      .style = progress_style(context_.quiet)},
                                   context_.error);
  }

  // Of what the library's convolutions alone would reach, since the phase began: ranks work side by
  // side. No ceiling: above 1 where they are computed with fewer products.
  std::string share(std::uint64_t done) const {
    if (phase_ != "encode" || library_seconds_ == 0 || done == first_) return "";
    const double each = seconds_since(begin_) * context_.world.size() /
                        static_cast<double>(done - first_) / (options_.flipped ? 2 : 1);
    return fmt::format("{:.2f} x the library's convolutions", library_seconds_ / each);
  }

  CommandContext& context_;
  VaeEncoder& encoder_;
  const data::EncodeOptions& options_;
  std::string phase_;
  std::uint64_t first_ = 0;
  double library_seconds_ = 0;
  Clock::time_point begin_;
  std::unique_ptr<Progress> bar_;
};

// Another rank may have been told to stop.
std::string_view signal_name(const CommandContext& context) {
  const bool is_own = context.signals && context.signals->stop_requested();
  return is_own ? context.signals->signal_name() : "a signal to another rank";
}

void print_outcome(CommandContext& context, const std::filesystem::path& out,
                   const EncodeOutcome& outcome) {
  print_written(context, out, outcome.shards);
  if (outcome.left_out > 0) {
    context.print("{} left out: {}\n", counted(outcome.left_out, "broken picture"),
                  left_out_file(out).string());
  }
  if (outcome.encoded == 0) return;
  context.print("{} encoded in {}, {:.3g}/s\n", counted(outcome.encoded, "picture"),
                human_duration(outcome.seconds),
                static_cast<double>(outcome.encoded) / outcome.seconds);
}

// What the first call makes there would be a class to the next.
void require_apart(const data::EncodeOptions& encode) {
  const data::PictureListOptions& list = encode.list;
  if (!list.labels.empty() || list.classes == 1) return;
  for (const std::filesystem::path& pictures : list.pictures) {
    std::error_code ignored;
    require<UsageError>(
        !std::filesystem::is_directory(pictures, ignored) || !data::lies_in(encode.out, pictures) ||
            std::filesystem::equivalent(encode.out, pictures, ignored),
        "encode", "--out {} lies in --pictures {}, among the folders of its classes",
        encode.out.string(), pictures.string());
  }
}

}  // namespace

int data_encode(std::span<const std::string> args, CommandContext& context) {
  DataEncodeOptions options;
  OptionSet set("data encode",
                "Encodes pictures with an autoencoder into a data set: centre crop, moments, and "
                "those of the mirrored picture. Any number of ranks shares the work and writes the "
                "same bytes; stopped or killed, the same command goes on behind whole shards.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  context.output_is_result = false;  // the set is
  data::EncodeOptions& encode = options.request.options;
  require_directory(encode.out, "--out");
  data::require_place_for_shards(encode.out);
  require_apart(encode);
  const auto backend = options.device.make_backend(context.world);
  const bool on_processor = options.device.kind != DeviceKind::kCuda;
  const int cores = omp_get_max_threads(), asked = options.decode_threads;
  encode.look_threads = asked > 0 ? asked : cores;
  encode.threads = asked > 0 ? asked : on_processor ? std::min(2, cores) : cores;
  encode.arithmetic = on_processor ? "processor" : "GPU";
  options.vae.network.use = AutoencoderUse::kEncoding;
  auto autoencoder = options.vae.load(*backend);
  require_scale(autoencoder->info());
  VaeEncoder encoder(std::move(autoencoder), *backend, options.vae.network);
  EncodeProgress progress(context, encoder, encode);
  const EncodeEvents events{
      .progress = [&](std::string_view phase, std::uint64_t done,
                      std::uint64_t total) { progress.update(phase, done, total); },
      .stop_requested = [&] { return context.signals && context.signals->stop_requested(); }};
  EncodeOutcome outcome;
  context.resumable = context.run_started = true;
  try {
    outcome = encode_over_ranks(options.request, encoder, context.world, events);
  } catch (const UsageError&) {
    context.run_started = false;  // bad input is that at any picture
    throw;
  } catch (const DataError&) {
    context.run_started = false;
    throw;
  }
  progress.end();
  if (outcome.stopped) {
    if (context.world.is_root()) {
      log::warning("encode stopped by {}; the same command continues it", signal_name(context));
    }
    return kStopped;
  }
  if (context.world.is_root()) print_outcome(context, encode.out, outcome);
  return kDone;
}

}  // namespace edt
