#include "launcher/plan/encode_plan.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launcher/text/report.h"

namespace edt {

namespace {

// Of a core: reading, decoding and cropping a JPEG of 500 x 375 pixels: an estimate.
constexpr double kDecodeSeconds = 0.003;

double counted_flops(Autoencoder& autoencoder, std::int64_t side) {
  const std::vector<std::uint8_t> picture(static_cast<std::size_t>(3 * side * side), 128);
  autoencoder.profiler().reset();
  autoencoder.encode(picture, {side, side});
  return autoencoder.profiler().total_flops();
}

// Cores of a node that decode as fast as its devices encode.
double decoding_cores(const EncodePlan& plan, const Cluster& cluster) {
  const double nodes = static_cast<double>(plan.ranks) / cluster.devices;
  return plan.pictures_per_second() * kDecodeSeconds / std::max(nodes, 1.0);
}

}  // namespace

double encode_flops(Autoencoder& autoencoder, std::int64_t side) {
  constexpr std::int64_t kMost = 256;
  if (side <= kMost) return counted_flops(autoencoder, side);
  // a p + b p^2 through two sizes.
  const double p1 = (kMost / 2) * (kMost / 2), p2 = kMost * kMost;
  const double f1 = counted_flops(autoencoder, kMost / 2) / p1;
  const double f2 = counted_flops(autoencoder, kMost) / p2;
  const double b = (f2 - f1) / (p2 - p1), a = f1 - b * p1;
  const double pixels = static_cast<double>(side) * static_cast<double>(side);
  return (a + b * pixels) * pixels;
}

EncodePlan plan_encoding(Autoencoder& autoencoder, std::uint64_t pictures, std::int64_t side,
                         int ranks, const Cluster& cluster) {
  const AutoencoderInfo& info = autoencoder.info();
  require<UsageError>(info.has_encoder, "plan", "--encode-vae {}: holds a decoder and no encoder",
                      info.path.string());
  require<UsageError>(side % info.factor == 0, "plan",
                      "model.image-size is {}, {} takes multiples of {} pixels", side, info.name(),
                      info.factor);
  EncodePlan plan{.autoencoder = info.name(), .pictures = pictures, .side = side, .ranks = ranks};
  plan.flops = encode_flops(autoencoder, side);
  const double orientations = plan.flipped ? 2 : 1;
  const PictureSize latent = info.latent_size({side, side});
  plan.stored_bytes =
      orientations * 2 * static_cast<double>(info.encoded_channels() * latent.pixels());
  plan.device_seconds = orientations * plan.flops /
                        (cluster.matrix_rate(DType::kFloat32) * cluster.matrix_efficiency);
  return plan;
}

std::string encode_text(const EncodePlan& plan, const Cluster& cluster) {
  const auto line = [](std::string_view name, const std::string& value) {
    return fmt::format("{:14} {}\n", name, value);
  };
  return line("cluster",
              fmt::format("{}: {} of {} devices, {:.3g} TFLOP/s in float32 each, {:.0f} % "
                          "of them in convolutions",
                          cluster.name, plan.ranks, cluster.ranks(), cluster.float32_rate * 1e-12,
                          100 * cluster.matrix_efficiency)) +
         line("autoencoder", fmt::format("{}, {:.4g} GFLOP a picture of {} x {}", plan.autoencoder,
                                         plan.flops * 1e-9, plan.side, plan.side)) +
         line("pictures",
              fmt::format("{}{}", plan.pictures, plan.flipped ? ", and their mirror images" : "")) +
         line("time", fmt::format("{}, {:.4g} pictures/s", human_duration(plan.seconds()),
                                  plan.pictures_per_second())) +
         line("decoding", fmt::format("{:.2g} cores of each node keep pace, at {:.0f} ms a picture",
                                      decoding_cores(plan, cluster), 1000 * kDecodeSeconds)) +
         line("data set", human_bytes(plan.stored_bytes * static_cast<double>(plan.pictures)));
}

nlohmann::ordered_json encode_json(const EncodePlan& plan, const Cluster& cluster) {
  return {{"cluster", cluster.name},
          {"ranks", plan.ranks},
          {"autoencoder", plan.autoencoder},
          {"image_size", plan.side},
          {"pictures", plan.pictures},
          {"flipped", plan.flipped},
          {"flops_per_picture", plan.flops},
          {"pictures_per_s", plan.pictures_per_second()},
          {"seconds", plan.seconds()},
          {"decoding_cores_per_node", decoding_cores(plan, cluster)},
          {"bytes", plan.stored_bytes * static_cast<double>(plan.pictures)}};
}

}  // namespace edt
