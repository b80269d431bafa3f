#include "launcher/plan/calibrate.h"

#include <malloc.h>

#include "core/storage/durable_file.h"
#include "launcher/machine/machine.h"
#include "launcher/machine/measuring.h"
#include "launcher/plan/cluster_file.h"
#include "launcher/plan/kernel_timing.h"
#include "launcher/plan/link_timing.h"
#include "launcher/recipe/engine_config.h"
#include "launcher/text/report.h"
#include "model/plan/gemms.h"

namespace edt {
namespace {

// The matrix rate of one rank while all of them multiply.
double matrix_rate(const PlannedStep& step, Backend& backend, Communicator& world) {
  const auto ceiling = backend.matmul_ceiling(training_gemms(step), step.engine.dtype);
  require<UsageError>(ceiling != nullptr, "plan",
                      "the {} backend has no matrix products to measure", backend.name());
  ceiling->run();
  world.barrier("matrix rate");
  const double seconds = ceiling->run();
  return world.all_reduce_value(ceiling->flops() / seconds, Reduce::kSum, "matrix rate") /
         world.size();
}

// Memory of this process, without what only the allocator holds on to.
double trimmed_process_bytes() {
  malloc_trim(0);
  return static_cast<double>(process_bytes());
}

// A product of the size that training has many of, for about a millisecond.
class Product {
 public:
  explicit Product(Backend& backend)
      : backend_(backend), memory_(backend.memory(), 3 * kSide * kSide * sizeof(float)) {
    for (std::size_t i = 0; i < 3; ++i) backend.fill(matrix(i), 0.01);
  }
  void run() {
    backend_.linear_forward(matrix(0), matrix(1), {}, {}, matrix(2));
    backend_.synchronize();
  }

 private:
  static constexpr std::size_t kSide = 416;
  Tensor matrix(std::size_t i) {
    const auto side = static_cast<std::int64_t>(kSide);
    return {static_cast<float*>(memory_.data()) + i * kSide * kSide, {side, side}, DType::kFloat32};
  }
  Backend& backend_;
  Block memory_;
};

}  // namespace

PlannedMemory planned_memory(const Memory& memory, const AvailableMemory& before,
                             const PlannedMemory& of_host) {
  if (!memory.free_on_device()) return of_host;
  return {before.bytes, before.process_bytes};
}

Cluster calibrate(const PlannedStep& step, Backend& backend, Communicator& world, int rounds,
                  Cluster before) {
  const Hosts hosts = find_hosts(world);
  Cluster cluster = std::move(before);
  cluster.nodes = hosts.nodes;
  cluster.devices = hosts.ranks_of_node;
  cluster.adapters = 1;
  const AvailableMemory before_step = memory_of_each_rank(backend.memory(), world);
  const KernelTiming timing = time_kernels(step, backend, world, {.rounds = rounds});
  for (const auto& [key, seconds] : timing.times.seconds) cluster.measured.seconds[key] = seconds;
  for (const auto& [name, rate] : timing.times.seconds_per_byte) {
    cluster.measured.seconds_per_byte[name] = rate;
  }
  cluster.launch = timing.launch;
  cluster.memory_bandwidth = 1 / timing.times.seconds_per_byte.at("copy");
  const double rate = matrix_rate(step, backend, world);
  cluster.float32_rate = rate;
  cluster.bf16_rate = rate;
  const Machine machine = probe_machine();
  if (cluster.name.empty()) cluster.name = machine.host;
  const double before_links = trimmed_process_bytes();
  const int in_node = partner_in_node(world.rank(), hosts);
  const int between_nodes = partner_between_nodes(world.rank(), hosts);
  if (cluster.devices > 1) cluster.intra = time_link(world, in_node);
  if (cluster.nodes > 1) cluster.inter = time_link(world, between_nodes);
  // What MPI keeps for messages.
  const double of_links = world.all_reduce_value(
      std::max(0.0, trimmed_process_bytes() - before_links), Reduce::kMax, "memory");
  const PlannedMemory memory =
      planned_memory(backend.memory(), before_step,
                     {static_cast<double>(machine.memory_total) / cluster.devices,
                      timing.process_memory + of_links});
  cluster.memory = memory.bytes;
  cluster.process_memory = memory.process_bytes;
  if (world.size() > 1) {
    Product product(backend);
    // Between the ranks that gradients of the last round travel between.
    const OverlapRates rates =
        time_overlap(world, cluster.nodes > 1 ? between_nodes : in_node, [&] { product.run(); });
    cluster.overlap_compute = rates.compute;
    cluster.overlap_communication = rates.communication;
    cluster.overlap_beside_tensor_ranks = backend.in_host_memory();
  }
  return cluster;
}

PlannedStep step_to_calibrate(const TrainConfig& config, const ModelConfig& model) {
  PlannedStep step{training_recipe(config, model)};
  step.tensor_ranks = config.parallel.tensor;
  step.engine.batch = 2 * step.engine.micro_batch;
  step.engine.zero.stage = ZeroStage::kNone;
  step.engine.zero.shard_ranks = 0;
  return step;
}

Cluster calibrate_into(const std::filesystem::path& file, const PlannedStep& step, Backend& backend,
                       Communicator& world, int rounds) {
  Cluster before;
  if (world.is_root()) {
    require_writable(kernel_table_of(file), file.string(), ".tsv");
    // With a folder, or it might be the name of one of ours.
    if (std::filesystem::exists(file)) {
      before = read_cluster(std::filesystem::absolute(file).string());
    }
  }
  const Cluster cluster = calibrate(step, backend, world, rounds, std::move(before));
  if (world.is_root()) write_cluster(cluster, file);
  return cluster;
}

std::string calibration_text(const std::filesystem::path& file, const Cluster& cluster) {
  return fmt::format("{}: {} of {}, {} measured", file.string(),
                     counted(static_cast<std::uint64_t>(cluster.nodes), "node"), cluster.devices,
                     counted(cluster.measured.seconds.size(), "kernel"));
}

}  // namespace edt
