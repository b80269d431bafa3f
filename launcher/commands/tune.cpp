// edt tune: the fastest algorithm of every matrix product of a model's steps, into a file that runs
// read.
#include <nlohmann/json.hpp>

#include "core/storage/durable_file.h"
#include "launcher/bench/product_tuning.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/device/product_file.h"
#include "launcher/text/report.h"
#include "launcher/train/config.h"

namespace edt {
namespace {

struct TuneOptions {
  ModelOptions model;
  DeviceOptions device;
  TunedSteps steps;
  ProductTuning tuning;
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
  require<NotImplemented>(cuda_is_built(), "tune", "{}", cuda_absence());
  require<UsageError>(steps.training > 0 || steps.sample_pictures > 0, "tune",
                      "--steps and --sample-batch are 0: there are no products");
  if (steps.training > 0) check_training("tune", steps.step);
  require_writable(out, "--out");
}

// What the file has, or an empty one for this GPU.
ProductFile file_for(const std::filesystem::path& path, const GpuType& gpu) {
  if (!std::filesystem::exists(path)) return {gpu, {path.string(), {}}};
  ProductFile file = parse_product_file(read_product_file(path), path.string());
  require_gpu(file, gpu);
  return file;
}

// One product of the steps.
struct Line {
  ProductKey key;
  TunedProduct tuned;
  bool is_new = false;
  std::int64_t training = 0, sampling = 0;

  double seconds() const { return static_cast<double>(training + sampling) * tuned.first_seconds; }
  double gain() const { return 1 - tuned.seconds / tuned.first_seconds; }
  double rate() const {
    const double products = static_cast<double>(key.batch.count);
    return 2 * products * static_cast<double>(key.m) * static_cast<double>(key.n) *
           static_cast<double>(key.k) / tuned.seconds;
  }
};

// Those that take the most time first.
std::vector<Line> lines_of(const ProductFile& file, const ProductTuning& tuning,
                           const StepCalls& calls) {
  const auto number = [](const ProductCalls& of, const ProductKey& key) {
    const auto found = of.find(key);
    return found == of.end() ? 0 : found->second;
  };
  std::vector<Line> lines;
  for (const auto& [key, tuned] : file.tuned.products) {
    const Line line{key, tuned, tuning.found.contains(key), number(calls.training, key),
                    number(calls.sampling, key)};
    if (line.is_new || line.seconds() > 0) lines.push_back(line);
  }
  std::ranges::stable_sort(lines, std::greater{}, &Line::seconds);
  return lines;
}

void print_text(CommandContext& context, const TuneOptions& options, const ProductFile& file,
                const StepCalls& calls) {
  context.print("{} in {} on {}: each product alone, median of {} rounds, up to {} algorithms\n",
                options.steps.step.model.name(), name_of(options.steps.step.dtype), file.gpu.name,
                options.tuning.rounds, options.tuning.candidates);
  Table table({"m x n x k, types, epilogue", "training", "sampling", "first us", "chosen us",
               "gain %", "rate", "suggestion"});
  for (const Line& line : lines_of(file, options.tuning, calls)) {
    table.add({text_of_product(line.key), fmt::format("{}", line.training),
               fmt::format("{}", line.sampling),
               fmt::format("{:.1f}", line.tuned.first_seconds * 1e6),
               fmt::format("{:.1f}", line.tuned.seconds * 1e6),
               fmt::format("{:.1f}", 100 * line.gain()), human_flops(line.rate()),
               fmt::format("{} of {}{}", line.tuned.place + 1, line.tuned.candidates,
                           line.is_new ? "" : ", from the file")});
  }
  context.print("{}", table.text());
  const auto total = [&](std::string_view what, const ProductCalls& of) {
    if (of.empty()) return;
    const ProductSeconds seconds = seconds_of(of, file.tuned);
    context.print("products of one {} step: {} by first suggestions, {} by the chosen ones\n", what,
                  human_duration(seconds.first), human_duration(seconds.chosen));
  };
  total("training", calls.training);
  total("sampler", calls.sampling);
  context.print("{}: {}, {} of them new\n", options.out.string(),
                counted(file.tuned.products.size(), "product"), options.tuning.found.size());
}

nlohmann::ordered_json to_json(const TuneOptions& options, const ProductFile& file,
                               const StepCalls& calls) {
  nlohmann::ordered_json json{{"file", options.out.string()},
                              {"gpu", file.gpu.name},
                              {"compute_capability", file.gpu.capability},
                              {"cublaslt", file.gpu.cublaslt},
                              {"model", options.steps.step.model.name()},
                              {"dtype", name_of(options.steps.step.dtype)},
                              {"micro_batch", options.steps.step.micro_batch},
                              {"sample_batch", options.steps.sample_pictures},
                              {"candidates", options.tuning.candidates},
                              {"rounds", options.tuning.rounds},
                              {"margin", options.tuning.margin}};
  const auto total = [&](const char* name, const ProductCalls& of) {
    const ProductSeconds seconds = seconds_of(of, file.tuned);
    json[name] = {{"first_seconds", seconds.first}, {"seconds", seconds.chosen}};
  };
  total("training_step", calls.training);
  total("sampler_step", calls.sampling);
  json["products"] = nlohmann::ordered_json::array();
  for (const Line& line : lines_of(file, options.tuning, calls)) {
    json["products"].push_back({{"product", text_of_product(line.key)},
                                {"m", line.key.m},
                                {"n", line.key.n},
                                {"k", line.key.k},
                                {"training_calls", line.training},
                                {"sampling_calls", line.sampling},
                                {"first_seconds", line.tuned.first_seconds},
                                {"seconds", line.tuned.seconds},
                                {"gain", line.gain()},
                                {"flops_per_second", line.rate()},
                                {"place", line.tuned.place},
                                {"candidates", line.tuned.candidates},
                                {"new", line.is_new}});
  }
  return json;
}

}  // namespace

int tune(std::span<const std::string> args, CommandContext& context) {
  TuneOptions tune;
  OptionSet options("tune",
                    "Times the algorithms that cuBLASLt suggests for each matrix product of a "
                    "model's steps, and writes the fastest to a file. Runs that are given it "
                    "(--run.products, --products) take these and time nothing, so that they keep "
                    "equal bits.");
  tune.declare(options);
  if (!read_options(options, args, context)) return kDone;
  tune.steps.step.model = tune.model.resolve(1000);
  tune.tuning.margin = tune.margin_percent / 100;
  tune.check();
  CudaOptions device = tune.device.cuda_options(context.world);
  ProductFile file = file_for(tune.out, cuda_gpu_type(device.device));
  device.products = file.tuned;
  device.tuning = &tune.tuning;
  const auto backend = make_cuda_backend(device);
  const StepCalls calls = run_tuned_steps(tune.steps, *backend, context.world);
  file.tuned.products.merge(std::map(tune.tuning.found));
  write_text_atomically(tune.out, format_product_file(file));
  if (tune.json) {
    context.print("{}\n", to_json(tune, file, calls).dump(2));
  } else {
    print_text(context, tune, file, calls);
  }
  return kDone;
}

}  // namespace edt
