// edt tune: the fastest algorithm of every matrix product of a model's steps, into a file that runs
// read.
#include "core/storage/durable_file.h"
#include "launcher/bench/gemm_tuning.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/commands/tune_report.h"
#include "launcher/recipe/train_config.h"

namespace edt {
namespace {

struct TuneOptions {
  ModelOptions model;
  DeviceOptions device;
  TunedSteps steps;
  GemmTuning tuning;
  double margin_percent = 2;
  std::filesystem::path out;
  bool json = false;

  void declare(OptionSet& options);
  void check() const;
};

void TuneOptions::declare(OptionSet& options) {
  device.kind = DeviceKind::kCuda;
  model.declare(options);
  device.declare_device(options, "");
  declare_pass(options, steps.step);
  declare_training(options, steps.step);
  options.add("steps", &steps.training, "training steps whose products are covered; 0: none")
      .range(0, 1000);
  options
      .add("sample-batch", &steps.sample_pictures,
           "pictures of a guided sampler step whose products are covered too; 0: none")
      .range(0, 65536);
  options.add("candidates", &tuning.candidates, "algorithms that are timed, of each product")
      .range(1, 1000);
  options.add("rounds", &tuning.rounds, "in each of which all take turns; medians count")
      .range(1, 10000);
  options
      .add("margin", &margin_percent,
           "by which another has to be faster than cuBLASLt's first suggestion")
      .unit("%")
      .range(0, 100);
  options
      .add("out", &out, "file that gets them; products that it has already keep their algorithms")
      .required();
  options.add("json", &json, "for scripts");
}

void TuneOptions::check() const {
  require<UsageError>(device.kind == DeviceKind::kCuda, "tune",
                      "--device must be cuda: elsewhere there is nothing to choose");
  require<UsageError>(cuda_is_there(), "tune", "{}", cuda_absence());
  require<UsageError>(steps.training > 0 || steps.sample_pictures > 0, "tune",
                      "--steps and --sample-batch are 0: there are no products");
  if (steps.training > 0) check_training("tune", steps.step);
  require_writable(out, "--out", ".json");
}

// What the file has, or an empty one for this GPU.
GemmFile file_for(const std::filesystem::path& path, const GpuType& gpu) {
  if (!std::filesystem::exists(path)) return {gpu, {path.string(), {}}};
  GemmFile file = parse_gemm_file(read_gemm_file(path), path.string());
  require_gpu(file, gpu);
  return file;
}

}  // namespace

int tune(std::span<const std::string> args, CommandContext& context) {
  TuneOptions tune;
  OptionSet options(
      "tune",
      "Times the algorithms that cuBLASLt suggests for each matrix product of a "
      "model's steps, what it fuses into them beside kernels that follow a plain product, and on "
      "GPUs of compute capability 9.0 both kernels of attention each way, whose values it "
      "compares. "
      "The fastest go to a file. Runs that are given it "
      "(--run.gemm-algos, --gemm-algos) take these and time nothing, so that they keep "
      "equal bits.");
  tune.declare(options);
  if (!read_options(options, args, context)) return kDone;
  tune.steps.step.model = tune.model.resolve(1000);
  tune.tuning.margin = tune.margin_percent / 100;
  tune.check();
  CudaOptions device = tune.device.cuda_options(context.world);
  GemmFile file = file_for(tune.out, cuda_gpu_type(device.device));
  device.gemms = file.tuned;
  device.tuning = &tune.tuning;
  const auto backend = make_cuda_backend(device);
  const StepCalls calls = run_tuned_steps(tune.steps, *backend, context.world);
  file.tuned.gemms.merge(std::map(tune.tuning.found));
  file.tuned.attentions.merge(TunedAttentions(tune.tuning.found_attentions));
  write_text_atomically(tune.out, format_gemm_file(file));
  const TuneReport report{tune.steps, tune.tuning, file, calls};
  context.print("{}", tune.json ? report.json() : report.text());
  return kDone;
}

}  // namespace edt
