// edt bench evaluate: pictures judged per second.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/random/stream.h"
#include "launcher/bench/ceiling_turns.h"
#include "launcher/commands/table.h"
#include "launcher/device/device_options.h"
#include "launcher/text/report.h"
#include "model/evaluation/inception.h"

namespace edt {
namespace {

Image noise_picture(int side, std::uint32_t number) {
  Image picture(side, side);
  std::vector<float> values(picture.pixels.size());
  random::fill_uniform({0, random::Purpose::kBenchmark, 1, number}, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    picture.pixels[i] = static_cast<std::uint8_t>(256 * values[i]);
  }
  return picture;
}

}  // namespace

int bench_evaluate(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path weights;
  DeviceOptions device;
  std::int64_t side = 256, batches = 1;
  double seconds = 20;
  bool json = false;
  OptionSet options("bench evaluate",
                    "Times the features of FID's Inception network: pictures per second, scaling "
                    "them included, and the share of the library's convolutions on the same "
                    "shapes, taken in turns with them.");
  options
      .add("inception", &weights,
           "weights of FID's Inception network as safetensors, with pytorch-fid's names")
      .required();
  options.add("image-size", &side, "pixels a side, before they are scaled to 299")
      .unit("pixels")
      .range(8, 4096);
  options.add("batches", &batches, fmt::format("of {} pictures, in a round", Inception::kBatch))
      .range(1, 1024);
  options.add("seconds", &seconds, "at least two rounds").unit("s").range(0, 3600);
  device.declare(options, "");
  options.add("json", &json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const auto backend = device.make_backend(context.world);
  Inception network(weights, *backend);
  context.run_started = true;
  const std::vector<ConvolutionCall> pass = network.convolutions();
  std::vector<ConvolutionCall> calls;
  for (std::int64_t i = 0; i < batches; ++i) calls.insert(calls.end(), pass.begin(), pass.end());
  std::vector<Image> pictures;
  for (std::int64_t i = 0; i < batches * Inception::kBatch; ++i) {
    pictures.push_back(noise_picture(static_cast<int>(side), static_cast<std::uint32_t>(i)));
  }
  const CeilingTurns turns = take_turns([&] { (void)network.run(pictures, InceptionResize::kAdm); },
                                        calls, *backend, DType::kFloat32, seconds);
  double flops = 0;
  for (const ConvolutionCall& call : calls) flops += call.form.flops(call.x);
  const auto count = static_cast<double>(pictures.size());
  if (json) {
    nlohmann::ordered_json found{{"pictures", pictures.size()},
                                 {"image_size", side},
                                 {"rounds", turns.rounds},
                                 {"seconds_per_picture", turns.seconds / count},
                                 {"fastest_seconds_per_picture", turns.fastest_seconds / count},
                                 {"pictures_per_s", count / turns.seconds},
                                 {"gmac", flops / 2e9 / count},
                                 {"gflops_per_s", flops / turns.seconds / 1e9}};
    if (turns.ceiling_seconds > 0) {
      found["ceiling_seconds_per_picture"] = turns.ceiling_seconds / count;
      found["ceiling_ratio"] = turns.share();
      found["ceiling_outdated"] = turns.share() > 1;
    }
    context.print("{}\n", dump_json(found, 2));
    return kDone;
  }
  Table table({"pixels", "pictures/s", "GMAC", "rate", "share"});
  table.add({fmt::to_string(side), human_rate(count / turns.seconds),
             fmt::format("{:.2f}", flops / 2e9 / count), human_flops(flops / turns.seconds),
             turns.ceiling_seconds > 0 ? share_text(turns.share()) : "-"});
  context.print("{}", table.text());
  return kDone;
}

}  // namespace edt
