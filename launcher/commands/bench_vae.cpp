// edt bench vae: pictures encoded and decoded per second.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "launcher/autoencoder/vae_options.h"
#include "launcher/bench/vae_bench.h"
#include "launcher/commands/table.h"
#include "launcher/device/device_options.h"
#include "launcher/text/report.h"
#include "model/autoencoder/published.h"

namespace edt {
namespace {

struct BenchedPass {
  bool decodes;
  DType dtype;
  std::int64_t side;
  VaeBenchResult result;
};

struct VaeBenchOptions {
  std::string model = "sd";
  VaeOptions vae;
  DeviceOptions device;
  std::vector<std::int64_t> sides{256, 512};
  std::vector<std::string> passes{"encode", "decode", "decode-bf16"};
  std::int64_t pictures = 1;
  double seconds = 10;
  bool json = false;

  void declare(OptionSet& options);
  std::unique_ptr<Autoencoder> make(Backend& backend, DType decode) const;
};

void VaeBenchOptions::declare(OptionSet& options) {
  options.add("model", &model, "whose structure, with random weights")
      .choices(published_autoencoders());
  vae.declare(options, "weights instead of random ones", false);
  options.add("image-size", &sides, "pixels a side").unit("pixels").range(32, 4096);
  options.add("passes", &passes, "what is measured; encoding is float32 always")
      .choices({"encode", "decode", "decode-bf16"});
  options.add("pictures", &pictures, "of a round, one after the other").range(1, 4096);
  options.add("seconds", &seconds, "for each line, at least two rounds").unit("s").range(0, 3600);
  device.declare(options, "");
  options.add("json", &json, "for scripts");
}

std::unique_ptr<Autoencoder> VaeBenchOptions::make(Backend& backend, DType decode) const {
  VaeOptions chosen = vae;
  chosen.network.decode = decode;
  return vae.path.empty() ? drawn_autoencoder(model, backend, chosen.network)
                          : chosen.load(backend);
}

std::string pass_name(const BenchedPass& pass) {
  return fmt::format("{} {}", pass.decodes ? "decode" : "encode", name_of(pass.dtype));
}

void print_text(CommandContext& context, const AutoencoderInfo& info, std::int64_t pictures,
                const std::vector<BenchedPass>& passes) {
  context.print("{}, {} encoder and {} decoder parameters\n", info.name(),
                human_count(static_cast<double>(info.encoder_parameters)),
                human_count(static_cast<double>(info.decoder_parameters)));
  Table table({"pass", "pixels", "pictures/s", "GMAC", "rate", "share", "memory"});
  const auto count = static_cast<double>(pictures);
  bool above = false;
  for (const BenchedPass& pass : passes) {
    const VaeBenchResult& r = pass.result;
    above = above || r.share() > 1;
    table.add({pass_name(pass), fmt::to_string(pass.side), human_rate(count / r.seconds),
               fmt::format("{:.1f}", r.flops / 2e9 / count), human_flops(r.flops / r.seconds),
               r.ceiling_seconds > 0 ? share_text(r.share()) : "-",
               human_bytes(static_cast<double>(r.peak_bytes))});
  }
  context.print("{}", table.text());
  if (above) {
    context.print(
        "(!) above 1: the library's convolutions are no ceiling where fewer products give the same "
        "(docs/autoencoders.md)\n");
  }
}

void print_json(CommandContext& context, const AutoencoderInfo& info, std::int64_t pictures,
                const std::vector<BenchedPass>& passes) {
  nlohmann::ordered_json json{{"autoencoder", info.name()}, {"pictures", pictures}};
  json["passes"] = nlohmann::ordered_json::array();
  for (const BenchedPass& pass : passes) {
    const VaeBenchResult& r = pass.result;
    const auto count = static_cast<double>(pictures);
    nlohmann::ordered_json one{{"pass", pass.decodes ? "decode" : "encode"},
                               {"dtype", name_of(pass.dtype)},
                               {"image_size", pass.side},
                               {"rounds", r.rounds},
                               {"seconds_per_picture", r.seconds / count},
                               {"fastest_seconds_per_picture", r.fastest_seconds / count},
                               {"pictures_per_s", count / r.seconds},
                               {"gmac", r.flops / 2e9 / count},
                               {"gflops_per_s", r.flops / r.seconds / 1e9},
                               {"peak_bytes", r.peak_bytes}};
    if (r.ceiling_seconds > 0) {
      one["ceiling_seconds_per_picture"] = r.ceiling_seconds / count;
      one["ceiling_ratio"] = r.share();
      one["ceiling_outdated"] = r.share() > 1;
    }
    json["passes"].push_back(one);
  }
  context.print("{}\n", dump_json(json, 2));
}

}  // namespace

int bench_vae(std::span<const std::string> args, CommandContext& context) {
  VaeBenchOptions bench;
  OptionSet options("bench vae",
                    "Times encoding and decoding by an autoencoder: pictures per second, and the "
                    "share of the library's convolutions on the same shapes, taken in turns with "
                    "them.");
  bench.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const auto backend = bench.device.make_backend(context.world);
  std::vector<BenchedPass> passes;
  AutoencoderInfo info;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    std::unique_ptr<Autoencoder> network;
    for (const std::int64_t side : bench.sides) {
      for (const std::string& pass : bench.passes) {
        if ((pass == "decode-bf16") != (dtype == DType::kBFloat16)) continue;
        if (!network) network = bench.make(*backend, dtype);
        context.run_started = true;
        info = network->info();
        const bool decodes = pass != "encode";
        passes.push_back({decodes, dtype, side,
                          bench_autoencoder(*network, *backend, dtype,
                                            {.decodes = decodes,
                                             .side = side,
                                             .pictures = bench.pictures,
                                             .seconds = bench.seconds})});
      }
    }
  }
  if (bench.json) {
    print_json(context, info, bench.pictures, passes);
  } else {
    print_text(context, info, bench.pictures, passes);
  }
  return kDone;
}

}  // namespace edt
