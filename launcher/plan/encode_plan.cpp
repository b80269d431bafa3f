#include "launcher/plan/encode_plan.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launcher/text/report.h"

namespace edt {

namespace {

// Of a core of an AMD EPYC (Zen 4): decoding and cropping a JPEG of 500 x 375 pixels to 256, as
// measured (docs/pictures.md).
constexpr double kDecodeSeconds = 0.0027;

// Cores of a node that decode as fast as its devices encode.
double decoding_cores(const EncodePlan& plan, const Cluster& cluster) {
  const double nodes = static_cast<double>(plan.work.ranks) / cluster.devices;
  return plan.pictures_per_second() * kDecodeSeconds / std::max(nodes, 1.0);
}

std::string basis_of(const EncodePlan& plan, const Cluster& cluster) {
  if (plan.work.rate > 0) {
    return fmt::format("{} pictures/s of a device, as given", human_rate(plan.work.rate));
  }
  return fmt::format(
      "an estimate: {} of products in float32, {:.0f} % of them in convolutions; "
      "--encode-rate takes what edt bench vae measures",
      human_flops(cluster.float32_rate), 100 * cluster.matrix_efficiency);
}

}  // namespace

EncodePlan plan_encoding(const AutoencoderSource& load, const EncodeWork& work,
                         const Cluster& cluster) {
  const AutoencoderRun run = dry_run_of_encoder(
      [&](Backend& backend) {
        auto autoencoder = load(backend);
        const AutoencoderInfo& info = autoencoder->info();
        require<UsageError>(work.side % info.factor == 0, "plan",
                            "model.image-size is {}, {} takes multiples of {} pixels", work.side,
                            info.name(), info.factor);
        return autoencoder;
      },
      {work.side, work.side});
  EncodePlan plan{.work = work,
                  .autoencoder = run.info.name(),
                  .flops = run.flops,
                  .bytes = static_cast<double>(run.bytes)};
  const double orientations = plan.flipped ? 2 : 1;
  const PictureSize latent = run.info.latent_size({work.side, work.side});
  plan.stored_bytes =
      orientations * 2 * static_cast<double>(run.info.encoded_channels() * latent.pixels());
  const double each =
      work.rate > 0
          ? 1 / work.rate
          : plan.flops / (cluster.matrix_rate(DType::kFloat32) * cluster.matrix_efficiency);
  plan.device_seconds = orientations * each;
  return plan;
}

std::string encode_text(const EncodePlan& plan, const Cluster& cluster) {
  const EncodeWork& work = plan.work;
  const auto line = [](std::string_view name, const std::string& value) {
    return fmt::format("{:14} {}\n", name, value);
  };
  return line("cluster",
              fmt::format("{}: {} of {} devices", cluster.name, work.ranks, cluster.ranks())) +
         line("autoencoder", fmt::format("{}, {:.4g} GFLOP a picture of {} x {}", plan.autoencoder,
                                         plan.flops * 1e-9, work.side, work.side)) +
         line("pictures",
              fmt::format("{}{}", work.pictures, plan.flipped ? ", and their mirror images" : "")) +
         line("time", fmt::format("{}, {:.4g} pictures/s", human_duration(plan.seconds()),
                                  plan.pictures_per_second())) +
         line("from", basis_of(plan, cluster)) +
         line("memory", fmt::format("{} of each rank", human_bytes(plan.bytes))) +
         line("decoding", fmt::format("{:.2g} cores of each node keep pace, at {:.1f} ms a picture",
                                      decoding_cores(plan, cluster), 1000 * kDecodeSeconds)) +
         line("data set", human_bytes(plan.stored_bytes * static_cast<double>(work.pictures)));
}

nlohmann::ordered_json encode_json(const EncodePlan& plan, const Cluster& cluster) {
  return {{"cluster", cluster.name},
          {"ranks", plan.work.ranks},
          {"autoencoder", plan.autoencoder},
          {"image_size", plan.work.side},
          {"pictures", plan.work.pictures},
          {"flipped", plan.flipped},
          {"flops_per_picture", plan.flops},
          {"is_estimate", plan.work.rate == 0},
          {"pictures_per_s", plan.pictures_per_second()},
          {"seconds", plan.seconds()},
          {"memory_bytes", plan.bytes},
          {"decoding_cores_per_node", decoding_cores(plan, cluster)},
          {"bytes", plan.stored_bytes * static_cast<double>(plan.work.pictures)}};
}

}  // namespace edt
