// edt data synth | info | verify, and edt bench data.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "data/inspect.h"
#include "data/read_bench.h"
#include "data/synth.h"
#include "data/text_file.h"
#include "launcher/commands/table.h"
#include "launcher/commands/write_dataset.h"
#include "launcher/text/progress.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

void print_info(CommandContext& context, const data::DatasetInfo& info) {
  const data::Description& d = info.description;
  const auto line = [&](std::string_view name, const std::string& value) {
    context.print("{:16} {}\n", name, value);
  };
  const auto [fewest, most] =
      std::minmax_element(info.class_counts.begin(), info.class_counts.end());
  line("data set", info.path.string());
  line("samples", fmt::format("{} in {}, {}", info.samples, counted(info.shards, "shard"),
                              human_bytes(static_cast<double>(info.bytes))));
  line(d.array_name(), fmt::format("{} x {} x {}, {}, scale {}", d.channels, d.height, d.width,
                                   h5::name_of(d.type), d.scale));
  if (d.is_sequence()) {
    line("sequences", fmt::format("{} frames of {} numbers", d.width, d.channels));
  } else {
    line("pictures", fmt::format("{} x {} pixels", d.factor() * d.width, d.image_size));
  }
  line("classes", fmt::format("{}, {} to {} samples each", d.classes, *fewest, *most));
  if (!d.class_names.empty())
    line("class names", fmt::format("{}", fmt::join(d.class_names, ", ")));
  line("flipped copy", d.flipped ? "yes" : "no");
  for (const data::SampleArray& array : d.arrays) {
    line("beside them", data::text_of(std::span(&array, 1)));
  }
  if (d.text.present()) line("texts", data::text_of(d.text));
  if (!d.is_sequence()) {
    line("decoder", d.decoder.present()
                        ? fmt::format("yes: linear, of {0} x {0} patches", d.decoder.patch)
                        : "no: false colours");
  }
  if (!d.channel_mean.empty()) {
    line("channel mean", fmt::format("{:.4g}", fmt::join(d.channel_mean, ", ")));
    line("channel std", fmt::format("{:.4g}", fmt::join(d.channel_std, ", ")));
  }
  line("protected",
       fmt::format("{} of {} with checksums, {} with a sealed header", info.checked_shards,
                   counted(info.shards, "shard"), info.sealed_shards));
  if (!d.source.empty()) line("source", d.source);
  if (!info.slow_layout.empty()) log::warning("{}", info.slow_layout);
}

void print_info(CommandContext& context, const data::TextInfo& info) {
  const auto line = [&](std::string_view name, const std::string& value) {
    context.print("{:16} {}\n", name, value);
  };
  line("file of texts", info.path.string());
  line("texts", fmt::format("{}, {}", info.texts, human_bytes(static_cast<double>(info.bytes))));
  line("of each", data::text_of(info.description));
  line("null text",
       fmt::format("{} tokens, checksum {}", info.description.null_tokens(), info.null_checksum));
}

int info_of_texts(const std::filesystem::path& path, bool as_json, CommandContext& context) {
  const data::TextInfo info = data::describe_texts(path);
  if (as_json) {
    context.print("{}\n", dump_json(data::to_json(info), 2));
  } else {
    print_info(context, info);
  }
  return kDone;
}

// Made at the first report, when the total is known.
data::Progress progress_of(std::unique_ptr<Progress>& bar, const std::string& label,
                           const std::string& unit, bool silent, std::ostream& out) {
  return [&bar, label, unit, silent, &out](std::uint64_t done, std::uint64_t total) {
    if (!bar) {
      Progress::Settings settings{.label = label, .unit = unit};
      settings.end = static_cast<std::int64_t>(total);
      settings.style = progress_style(silent);
      bar = std::make_unique<Progress>(settings, out);
    }
    bar->update(static_cast<std::int64_t>(done));
  };
}

}  // namespace

namespace {

// Those of pictures, where sequences are drawn.
void take_length(const OptionSet& options, data::SynthOptions& synth) {
  if (synth.length == 0) {
    require<UsageError>(!options.given("sequences"), "synth",
                        "--sequences is given, and --length, which says how long they are to be, "
                        "is not");
    return;
  }
  for (const char* option :
       {"image-size", "channels", "vae-factor", "flipped", "hog", "captions", "held-out"}) {
    require<UsageError>(!options.given(option), "synth",
                        "--{} is of pictures, and --length {} asks for sequences", option,
                        synth.length);
  }
  const auto kinds = static_cast<int>(data::names_of(synth.sequences).size());
  if (!options.given("classes")) synth.classes = kinds;
}

}  // namespace

int data_synth(std::span<const std::string> args, CommandContext& context) {
  data::SynthOptions synth;
  OptionSet options(
      "data synth",
      "Draws pictures of classes (shapes, colours, textures) and stores them as "
      "latents, with the decoder that turns latents into pictures; or sequences of "
      "classes (ways to move, or figures), with the pace and stress, or size, of each frame "
      "beside them.");
  options.add("out", &synth.out, "directory of the data set").positional().required();
  options.add("samples", &synth.samples, "number of pictures").range(1, 4294967295.0L);
  options.add("image-size", &synth.image_size, "side of a picture, a multiple of --vae-factor")
      .unit("pixels")
      .range(32, 1024);
  options.add("length", &synth.length, "frames of a sequence, instead of pictures; 0: pictures")
      .unit("frames")
      .range(0, 4096);
  options.add("sequences", &synth.sequences,
              {{"gaits", data::SynthSequences::kGaits}, {"curves", data::SynthSequences::kCurves}},
              "with --length: the joints of somebody who moves, or a pen that draws figures");
  options.add("classes", &synth.classes, "number of classes")
      .range(1, 12)
      .default_is("12, of gaits 6, of curves 5");
  options.add("channels", &synth.channels, "of the latents; 16 keep edges sharp")
      .choices({"4", "16"});
  options.add("vae-factor", &synth.vae_factor, "pixels for each latent, across and down")
      .choices({"4", "8"});
  options.add("seed", &synth.seed, "of the pictures");
  options.add("flipped", &synth.flipped, "store mirrored copies too");
  options.add("hog", &synth.hog, kHogHelp);
  options.add("captions", &synth.captions,
              "draw pictures that a caption describes by size, colour, shape and place, and store "
              "it with the features of its words");
  options.add("held-out", &synth.held_out,
              "with --captions: file of texts (.h5) for those combinations of colour, shape and "
              "place of which no picture is drawn");
  options.add("samples-per-shard", &synth.samples_per_shard, "samples of one file").at_least(1);
  options.add("replace", &synth.replace, kReplaceHelp);
  if (!read_options(options, args, context)) return kDone;
  require<UsageError>(!synth.captions || !options.given("classes"), "synth",
                      "--classes has no effect with --captions: classes are those of the shapes");
  require_writable(synth.held_out, "--held-out", ".h5");
  take_length(options, synth);
  return write_dataset(context, "synth", synth.out, [&](const data::Progress& progress) {
    return data::synthesize(synth, progress);
  });
}

int data_info(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path;
  std::filesystem::path pictures;
  bool as_json = false;
  OptionSet options("data info", "Says what a data set, or a file of texts alone, holds.");
  options.add("data", &path, "directory of shards, one shard, or a file of texts")
      .alias("data.path")
      .positional()
      .required();
  options.add("pictures", &pictures, "write a PNG with eight samples of each of the first classes");
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  require_writable(pictures, "--pictures", ".png");
  if (data::is_text_file(path)) {
    require<UsageError>(pictures.empty(), "data", "--pictures {}: {} holds texts alone",
                        pictures.string(), path.string());
    return info_of_texts(path, as_json, context);
  }
  const data::DatasetInfo info = data::describe(path);
  require<UsageError>(
      pictures.empty() || !info.description.is_sequence(), "data",
      "--pictures {}: {} holds sequences of {} frames, of which no picture is drawn",
      pictures.string(), path.string(), info.description.width);
  if (!pictures.empty()) data::write_pictures(path, pictures);
  if (as_json) {
    context.print("{}\n", dump_json(data::to_json(info), 2));
  } else {
    print_info(context, info);
    if (!pictures.empty()) context.print("{:16} {}\n", "written", pictures.string());
  }
  return kDone;
}

int data_verify(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path;
  bool as_json = false;
  OptionSet options("data verify",
                    "Reads a whole data set, or a file of texts alone: headers, checksums, labels, "
                    "finite values. "
                    "Status 1 when something is wrong.");
  options.add("data", &path, "directory of shards, one shard, or a file of texts")
      .alias("data.path")
      .positional()
      .required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  std::unique_ptr<Progress> progress;
  const data::VerifyReport report = data::verify(
      path, progress_of(progress, "verify", "shards", context.quiet || as_json, context.error));
  progress.reset();
  const char* const unit = report.is_of_texts ? "file" : "shard";
  if (as_json) {
    context.print("{}\n", dump_json(data::to_json(report), 2));
  } else if (report.problems.empty()) {
    context.print("{}: {} {} in {} are intact{}\n", path.string(), report.samples,
                  report.is_of_texts ? "texts" : "samples", counted(report.shards, unit),
                  report.without_checksums == 0
                      ? ""
                      : fmt::format(", {} of them without checksums", report.without_checksums));
  }
  if (report.problems.empty()) return kDone;
  for (std::size_t i = 1; i < report.problems.size(); ++i) log::error("{}", report.problems[i]);
  // What was found, not bad input of the search: status 1.
  fail("verify", "{} of {} not intact; the first: {}", report.problems.size(),
       counted(report.shards, unit), report.problems[0]);
}

int bench_data(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path path;
  data::ReadBenchOptions bench;
  std::int64_t cache = 256;
  bool as_json = false;
  OptionSet options(
      "bench data",
      "Samples per second from shards in random order, ready for training, against a "
      "plain sequential read of the same bytes. Also the same reader in file order, and "
      "bare copies: what the memory allows. All take turns and find the data in "
      "memory if they fit. Of a large set a part is read: the time is bounded.");
  options.add("data", &path, "directory of shards").alias("data.path").positional().required();
  options.add("batch", &bench.batch, "samples read at once").range(1, 65536);
  options
      .add("seconds", &bench.seconds,
           "for each of five measurements, and at most as long before they count")
      .unit("s")
      .above(0);
  options.add("cache", &cache, "decoded samples that are kept, where shards are compressed")
      .alias("data.cache")
      .unit("MiB")
      .range(0, 1 << 30);
  options.add("features", &bench.arrays, "arrays that are read beside the latents: names");
  options.add("seed", &bench.seed, "of the order");
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;
  bench.cache_bytes = static_cast<std::uint64_t>(cache) << 20;
  std::unique_ptr<Progress> progress;
  const data::ReadBench result = data::bench_reads(
      path, bench,
      progress_of(progress, "bench data", "turns", context.quiet || as_json, context.error));
  progress.reset();
  if (as_json) {
    const nlohmann::ordered_json json{{"samples", result.samples},
                                      {"sample_bytes", result.sample_bytes},
                                      {"random_samples", result.random_samples},
                                      {"random_samples_per_s", result.random},
                                      {"sequential_samples_per_s", result.sequential},
                                      {"ratio", result.ratio},
                                      {"in_order_samples_per_s", result.in_order},
                                      {"random_copy_samples_per_s", result.random_copy},
                                      {"sequential_copy_samples_per_s", result.sequential_copy},
                                      {"copy_ratio", result.copy_ratio}};
    context.print("{}\n", dump_json(json, 2));
    return kDone;
  }
  const auto line = [&](std::string_view name, double samples, std::string_view what) {
    context.print("{:17}{:>6} samples/s, {:>9}/s  {}\n", name, human_count(samples),
                  human_bytes(samples * static_cast<double>(result.sample_bytes)), what);
  };
  context.print("{} samples of {}{}\n", result.samples,
                human_bytes(static_cast<double>(result.sample_bytes)),
                result.random_samples < result.samples
                    ? fmt::format(", {} of them read in random order", result.random_samples)
                    : "");
  line("random order", result.random, "ready for training");
  line("file order", result.in_order, "the same work");
  line("sequential read", result.sequential, "read(), 1 MiB at a time");
  line("random copy", result.random_copy, "memcpy of the mapped samples");
  line("sequential copy", result.sequential_copy, "memcpy in file order");
  context.print("ratio {:.3f}: random order to sequential read; random copy to it: {:.3f}\n",
                result.ratio, result.copy_ratio);
  if (!result.slow_layout.empty()) log::warning("{}", result.slow_layout);
  return kDone;
}

}  // namespace edt
