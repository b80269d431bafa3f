// edt slurm: writes the batch script of a run from its configuration, and submits it.
#include <sys/wait.h>

#include <cstdlib>

#include "core/base/shell_text.h"
#include "core/storage/durable_file.h"
#include "data/dataset.h"
#include "launcher/commands/job_memory.h"
#include "launcher/commands/table.h"
#include "launcher/device/gemm_file.h"
#include "launcher/recipe/model_data.h"
#include "launcher/recipe/train_config.h"
#include "launcher/slurm/slurm_script.h"
#include "launcher/train/micro_batch.h"
#include "launcher/train/planned_step.h"
#include "parallel/sharding/mesh.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

// Everything that is known to be wrong before the job waits in a queue; a micro-batch that is not
// given is chosen. Returns what could not be checked.
std::string check(const SlurmRequest& request, const OptionSet& options, TrainConfig& config) {
  const bool on_gpus = config.run.device.kind == DeviceKind::kCuda;
  require<UsageError>(!on_gpus || request.gpus_per_node > 0, "slurm",
                      "run.device is cuda, and no GPU is asked for: --gpus-per-node");
  require<UsageError>(on_gpus || request.gpus_per_node == 0, "slurm",
                      "{} GPUs per node are asked for, and run.device is not cuda",
                      request.gpus_per_node);
  require<UsageError>(
      !on_gpus || request.ranks_of_node() <= request.gpus_per_node || config.run.device.share_gpus,
      "slurm", "{} ranks per node, {} GPUs: one rank for each GPU", request.ranks_of_node(),
      request.gpus_per_node);
  for (const std::string& option : request.extra) {
    require<UsageError>(option.starts_with('-'), "slurm",
                        "--slurm.extra has '{}', which is no option of sbatch", option);
  }
  require<UsageError>(request.cluster_file.empty() || fs::is_regular_file(request.cluster_file),
                      "slurm", "--slurm.cluster {}: there is no such file",
                      request.cluster_file.string());
  const fs::path& gemms = config.run.device.gemms;
  if (!gemms.empty()) parse_gemm_file(read_gemm_file(gemms), gemms.string());
  const long limit = slurm_seconds(request.time);
  require<UsageError>(limit > request.warn, "slurm",
                      "the run is told {} s before a limit of {} s: it would never train",
                      request.warn, limit);
  const data::Dataset dataset(config.data.path, {.verify_blocks = false});
  take_data(dataset.description(), options, config);
  const ModelConfig model = config.model.resolve(dataset.description().classes);
  require_fits(dataset, model);
  const RankMemory memory =
      config.run.memory_check ? memory_of_rank(request, on_gpus) : RankMemory{};
  const std::string chosen = choose_micro_batch(config, model, request.ranks(),
                                                {memory.where, memory.bytes, memory.process_bytes});
  check_mesh({.ranks = request.ranks(),
              .tensor_ranks = config.parallel.tensor,
              .micro_batches = config.train.batch / config.train.micro_batch,
              .batch = config.train.batch,
              .model = model.name(),
              .shard_ranks = config.parallel.shard_ranks,
              .tensor_degrees = model.tensor_degrees()});
  std::string unchecked;
  if (config.run.memory_check) {
    const int tensor_ranks = config.parallel.tensor;
    unchecked = check_job_memory(
        planned_step(config, model, request.ranks() / tensor_ranks, tensor_ranks), memory);
  }
  if (!chosen.empty()) log::info("{}", chosen);
  return unchecked;
}

fs::path this_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

int submit(const fs::path& script, CommandContext& context) {
  context.out.flush();
  const int status = std::system(("sbatch " + shell_quoted(script.string())).c_str());
  require<SystemError>(WIFEXITED(status) && WEXITSTATUS(status) == 0, "slurm",
                       "sbatch {} failed with status {}", script.string(),
                       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return kDone;
}

}  // namespace

int slurm(std::span<const std::string> args, CommandContext& context) {
  SlurmRequest request;
  TrainConfig config;
  bool dry_run = false, submits = false;
  OptionSet options("slurm",
                    "Writes the batch script of a training run, RUN/train.sbatch, and its "
                    "configuration beside it, RUN/train.ini. All options of edt train are taken.");
  request.declare(options);
  options.add("dry-run", &dry_run, "print the script, write nothing").command_line_only();
  options.add("submit", &submits, "hand the script to sbatch").command_line_only();
  config.declare(options);
  if (!read_options(options, args, context)) return kDone;
  config.validate();
  for (const char* option : {"run.accept-changes", "run.on-damage"}) {
    require<UsageError>(!options.given(option), "slurm",
                        "--{} is for one start, not for all: sbatch RUN/train.sbatch --{}", option,
                        option);
  }
  require<UsageError>(!(dry_run && submits), "slurm", "--dry-run and --submit exclude each other");
  const std::string unchecked = check(request, options, config);
  if (!unchecked.empty()) context.error << "edt: warning: [slurm] " << unchecked << std::endl;

  const fs::path ini = config.run.directory / "train.ini";
  const fs::path script = config.run.directory / "train.sbatch";
  const std::string text = slurm_script(request, this_program(), ini, config.run.directory);
  if (dry_run) {
    context.print("{}", text);
    return kDone;
  }
  require_directory(config.run.directory, "run.dir");
  make_directories(config.run.directory);
  write_text_atomically(ini, options.to_ini());
  write_text_atomically(script, text);
  context.print("{}\n", script.string());
  return submits ? submit(script, context) : kDone;
}

}  // namespace edt
