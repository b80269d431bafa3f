#include "model/plan/upkeep.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

// As strace counts them, of one rank and of more: a rank's file is looked for, made, opened four
// times to be checked and summed up, and removed with its checkpoint; the rest is the first rank's
// directories, small files, new names and syncs.
constexpr std::int64_t kOperationsOfRank = 7, kOperationsOfFirst = 21, kFilesOfFirst = 2;

// In float32: master weights, the moving average, what the optimizer keeps, further averages.
double bytes_of_parameter(const EngineConfig& engine) {
  const auto states = static_cast<std::size_t>(make_optimizer(engine.optimizer)->state_count());
  const std::size_t arrays = 2 + states + engine.power_averages.size();
  return static_cast<double>(sizeof(float) * arrays);
}

std::string_view largest_of(std::initializer_list<std::pair<double, std::string_view>> costs) {
  return std::max(costs).second;
}

}  // namespace

double best_interval(double cost, double between_failures) {
  if (cost >= 2 * between_failures) return between_failures;
  const double part = cost / (2 * between_failures);
  return std::sqrt(2 * cost * between_failures) * (1 + std::sqrt(part) / 3 + part / 9) - cost;
}

double effective_share(double interval, double cost, double restart, double between_failures) {
  const double whole = between_failures * std::exp(restart / between_failures) *
                       std::expm1((interval + cost) / between_failures);
  return interval / whole;
}

PlannedCheckpoint plan_checkpoint(const Prediction& prediction, const Cluster& cluster) {
  const PlannedStep& step = prediction.step;
  const Storage& storage = cluster.storage;
  const int ranks = step.ranks(), nodes = (ranks + cluster.devices - 1) / cluster.devices;
  PlannedCheckpoint checkpoint;
  checkpoint.bytes = static_cast<double>(prediction.parameters) * step.tensor_ranks *
                     bytes_of_parameter(step.engine);
  // Without sharding the first data rank writes what all have.
  const bool sharded = step.engine.zero.stage != ZeroStage::kNone;
  const int writers = sharded ? ranks : step.tensor_ranks;
  const int writing_nodes = sharded ? nodes : (writers + cluster.devices - 1) / cluster.devices;
  checkpoint.files = ranks + kFilesOfFirst;
  checkpoint.operations = kOperationsOfRank * ranks + kOperationsOfFirst;
  checkpoint.copy_seconds = checkpoint.bytes / writers / storage.staging;
  const double rate = std::min(storage.bandwidth, storage.node_bandwidth * writing_nodes);
  checkpoint.read_seconds = checkpoint.bytes / rate;
  checkpoint.write_seconds =
      checkpoint.bytes / rate + static_cast<double>(checkpoint.operations) / storage.operations;
  return checkpoint;
}

std::optional<Upkeep> plan_upkeep(const Prediction& prediction, const Cluster& cluster) {
  if (!cluster.storage.is_known() || cluster.device_failure == 0) return std::nullopt;
  Upkeep upkeep{.checkpoint = plan_checkpoint(prediction, cluster)};
  const PlannedCheckpoint& checkpoint = upkeep.checkpoint;
  upkeep.between_failures = cluster.device_failure / prediction.step.ranks();
  // One is written at a time, and what is under way when a rank fails is lost with it.
  upkeep.interval = std::max(best_interval(checkpoint.copy_seconds, upkeep.between_failures),
                             checkpoint.write_seconds);
  const double restart = cluster.restart + checkpoint.read_seconds;
  const double again = upkeep.interval / 2 + checkpoint.write_seconds;
  upkeep.lost = restart + again;
  upkeep.effective = effective_share(upkeep.interval, checkpoint.copy_seconds,
                                     restart + checkpoint.write_seconds, upkeep.between_failures);
  upkeep.limit =
      largest_of({{checkpoint.copy_seconds / upkeep.interval, "copies of the state"},
                  {cluster.restart / upkeep.between_failures, "restarts"},
                  {checkpoint.read_seconds / upkeep.between_failures, "reading checkpoints"},
                  {again / upkeep.between_failures, "work done again"}});
  return upkeep;
}

}  // namespace edt
