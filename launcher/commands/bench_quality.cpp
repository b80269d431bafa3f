// edt bench quality: which model gets how good in how much time.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/machine/machine.h"
#include "launcher/quality/report.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

struct QualityCommand {
  QualityStudyOptions study;
  DeviceOptions device;
  std::string optimizer = "equal";
  std::int64_t task = -1, checkpoint_every = 0;
  bool run = true, json = false;

  void declare(OptionSet& options);
  // UsageError where they do not fit each other.
  void resolve(const OptionSet& options);

 private:
  void declare_measurements(OptionSet& options);
};

void QualityCommand::declare(OptionSet& options) {
  options.add("data", &study.data, "data set of all arms").alias("data.path").required();
  options.add("out", &study.out, "directory of the study; it goes on where it stopped").required();
  options
      .add("size", &study.arm.size,
           "of the models: S, B and XL as published, Ti of six blocks and a width of 144, ours")
      .choices({"Ti", "S", "B", "XL"});
  study.arms = usual_arm_keys();
  options.add("arms", &study.arms, "what is compared").choices(quality_arm_keys());
  options.add("features", &study.arm.features,
              "arrays of the data set, beside its latents, with which arms that end in -repa are "
              "aligned");
  options
      .add("teacher", &study.arm.teacher,
           "finished run, or checkpoint, of which arms that end in -distilled learn")
      .absolute();
  options.add("seeds", &study.seeds, "each arm is trained once with each").at_least(0);
  options.add("seconds", &study.seconds, "of training, of each run").unit("seconds").above(0);
  options.add("flops", &study.flops, "instead: FLOPs of training, of each run").at_least(0);
  options.add("points", &study.points, "measurements of a run, at equal parts of that")
      .range(1, 1000);
  options.add("batch", &study.batch, "of training").alias("train.batch").unit("images").at_least(1);
  options.add("micro-batch", &study.micro_batch, "of training; 0: chosen as edt train does")
      .alias("train.micro-batch")
      .unit("images")
      .at_least(0);
  options.add("holdout", &study.holdout, "share of the samples that are not trained on")
      .alias("data.holdout")
      .above(0)
      .below(1);
  options.add("optimizer", &optimizer, "one for all, Adan, or that of each recipe")
      .choices({"equal", "recipe"});
  options.add("lr", &study.arm.learning_rate, "its learning rate, constant")
      .alias("optimizer.lr")
      .above(0)
      .used_when("optimizer", {"equal"});
  options.add("warmup-steps", &study.arm.warmup_steps, "of the learning rate")
      .alias("optimizer.warmup-steps")
      .at_least(0);
  options.add("ema-decay", &study.arm.ema_decay, "of the moving average, which is measured")
      .alias("optimizer.ema-decay")
      .at_least(0)
      .below(1);
  declare_measurements(options);
  options
      .add("task", &task,
           "only this run, counted from 0, seed by seed through all arms: for job arrays; -1: all")
      .at_least(-1);
  options.add("run", &run, "off: report what is there");
  options.add("json", &json, "for scripts");
  options.section("run", "Of all runs");
  device.declare(options, "run.");
  options
      .add("run.dtype", &study.measure.dtype,
           {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}}, "type of activations")
      .alias("dtype");
  options
      .add("run.checkpoint-every", &checkpoint_every,
           "steps between checkpoints of a run, beside those that are measured; 0: none")
      .at_least(0);
}

void QualityCommand::declare_measurements(OptionSet& options) {
  MeasureOptions& m = study.measure;
  options.add("samples", &m.samples, "drawn at each measurement, classes in turn")
      .range(2, 1 << 24);
  options.add("sampler-steps", &m.steps, "of them").range(1, 1000);
  options.add("cfg-scale", &m.guidance, "classifier-free guidance of them; 1: none")
      .at_least(0)
      .single_precision();
  options.add("sampler-batch", &m.batch, "samples drawn together").range(1, 4096);
  options.add("draws", &m.draws, "noised samples at each of eight levels of noise")
      .range(1, 1 << 20);
  options.add("pictures", &m.pictures, "in the grid of each run").range(0, 1000);
  options.add("inception", &m.inception, "weights of FID's Inception network: for FID as well");
  options.add("reference", &m.reference, "with them: what edt evaluate reference wrote");
  m.vae.declare(options,
                "weights of the autoencoder that makes pictures, instead of the data set's decoder",
                true);
}

void QualityCommand::resolve(const OptionSet& options) {
  study.arm.equal_optimizer = optimizer == "equal";
  require<UsageError>(study.flops == 0 || !options.given("seconds"), "bench quality",
                      "--seconds {} and --flops {} are both given, one is needed", study.seconds,
                      study.flops);
  if (study.flops > 0) study.seconds = 0;
  study.train = options.given_arguments("run");
  require<UsageError>(study.measure.inception.empty() == study.measure.reference.empty(),
                      "bench quality", "--inception '{}' and --reference '{}' go together",
                      study.measure.inception.string(), study.measure.reference.string());
  const auto tasks = static_cast<std::int64_t>(study.arms.size() * study.seeds.size());
  require<UsageError>(task < tasks, "bench quality", "--task is {}, there are {}: 0 to {}", task,
                      tasks, tasks - 1);
  require<UsageError>(run || std::filesystem::exists(study.out / "study.json"), "bench quality",
                      "--run is off, and there is no study in {}", study.out.string());
}

QualityReport report_of(const QualityStudy& study, std::span<const std::string> args) {
  QualityReport report{.machine = machine_text(probe_machine()),
                       .command = "edt bench quality",
                       .options = study.options(),
                       .arms = study.arms(),
                       .runs = study.results(),
                       .grids = {},
                       .tasks = study.tasks().size()};
  for (const std::string& arg : args) report.command += " " + arg;
  for (const QualityTask& task : study.tasks()) {
    const std::string png = text_if_there(study.grid_file(task));
    if (task.seed == study.options().seeds.front() && !png.empty()) {
      report.grids.emplace_back(study.arms()[task.arm].label, png);
    }
  }
  return report;
}

void write_reports(const QualityReport& report) {
  const std::filesystem::path& out = report.options.out;
  write_text_atomically(out / "quality.csv", quality_study_csv(report));
  write_text_atomically(out / "quality.json", dump_json(quality_study_json(report), 2) + "\n");
  quality_study_page(report).write(out / "quality.html");
}

}  // namespace

int bench_quality(std::span<const std::string> args, CommandContext& context) {
  QualityCommand command;
  OptionSet options(
      "bench quality",
      "Trains models one after another on the same data, each to the same budget of "
      "time or of FLOPs and with several seeds, and measures on the way how good they "
      "are. Reports: terminal, quality.json, quality.csv and quality.html in the "
      "study's directory. The ranks share the work of each run.");
  command.declare(options);
  if (!read_options(options, args, context)) return kDone;
  command.resolve(options);
  require_directory(command.study.out, "--out");
  const auto backend = command.device.make_backend(context.world);
  QualityStudy study(command.study, *backend, context.world);
  context.run_started = command.run;
  context.resumable = true;
  std::optional<StopSignals> own;
  if (!context.signals) own.emplace();
  const StopSignals& signals = context.signals ? *context.signals : *own;
  // What each training says of itself stands in its log.
  if (context.world.is_root()) log::set_console_level(log::Level::kWarning);
  const std::vector<QualityTask> tasks = study.tasks();
  for (std::size_t i = 0; command.run && i < tasks.size(); ++i) {
    if (command.task >= 0 && static_cast<std::int64_t>(i) != command.task) continue;
    const bool goes_on = study.run(tasks[i], signals, [&](const std::string& line) {
      if (!context.quiet) context.error << line << std::endl;
    });
    if (!goes_on) return kStopped;
  }
  if (!context.world.is_root()) return kDone;
  const QualityReport report = report_of(study, args);
  require<DataError>(!report.runs.empty(), "bench quality", "{} holds no measurement",
                     command.study.out.string());
  write_reports(report);
  if (command.json) {
    context.print("{}\n", dump_json(quality_study_json(report), 2));
  } else {
    context.print("{}Also in {}\n", quality_study_text(report),
                  (command.study.out / "quality.html").string());
  }
  return kDone;
}

}  // namespace edt
