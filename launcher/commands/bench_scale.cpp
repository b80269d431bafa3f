// edt bench scale: strong and weak scaling over numbers of ranks, tensor ranks and zero stages.
#include <unistd.h>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/step_options.h"
#include "launcher/commands/table.h"
#include "launcher/plan/cluster_file.h"
#include "launcher/recipe/train_config.h"
#include "launcher/scale/scale_report.h"
#include "launcher/text/progress.h"

namespace edt {
namespace {

struct ScaleCommand {
  StudyOptions study;
  ModelOptions model;
  std::filesystem::path out, slurm_out;
  std::string cluster;
  std::string launch = fmt::format("mpirun --oversubscribe --bind-to none{} -np {{ranks}}",
                                   geteuid() == 0 ? " --allow-run-as-root" : "");
  bool run = true, json = false;

  void declare(OptionSet& options) {
    StudyOptions& s = study;
    model.declare(options);
    options.add("out", &out, "directory of the study; it goes on where it stopped").required();
    options
        .add("strong-batch", &s.strong_batch, "batch of all ranks together; 0: no strong scaling")
        .unit("images")
        .at_least(0);
    options.add("weak-batch", &s.weak_batch, "batch of each data rank; 0: no weak scaling")
        .unit("images")
        .at_least(0);
    options.add("ranks", &s.ranks, "numbers of ranks").range(1, 1 << 20);
    options.add("tensor", &s.tensor, "ranks that hold one model together")
        .alias("parallel.tensor")
        .range(1, 1024);
    options.add("zero", &s.zero, "zero stages").alias("parallel.zero").range(0, 3);
    declare_pass(options, s.step);
    declare_recompute(options, s.step.recompute);
    options.add("device", &device, "of edt bench step")
        .alias("run.device")
        .choices({"cpu", "cuda"});
    options.add("repeats", &s.repeats, "measurements of each point, in turn").range(1, 1000);
    options.add("rounds", &s.step.rounds, "of each measurement").range(1, 1000);
    options.add("steps", &s.step.steps, "steps timed together in a round").range(1, 1000);
    options.add("launch", &launch, "starts the ranks; {ranks} stands for their number");
    options.add("run", &run, "off: report what is there");
    options.add("slurm-out", &slurm_out,
                "write the points as Slurm job arrays to this directory, run nothing");
    options.add("cluster", &cluster, "cluster file or preset that predicts").alias("plan.cluster");
    options.add("json", &json, "for scripts");
  }

  // What the points have in common, as `edt bench step` is told.
  std::string step_arguments(const OptionSet& options) const {
    std::string text = fmt::format("--micro-batch={} --dtype={} --rounds={} --steps={} --device={}",
                                   study.step.micro_batch, name_of(study.step.dtype),
                                   study.step.rounds, study.step.steps, device);
    constexpr std::array kRecompute{"least", "none", "selective", "full"};
    text +=
        fmt::format(" --recompute={}", kRecompute[static_cast<std::size_t>(study.step.recompute)]);
    for (const std::string& line : options.given_arguments("model")) text += " '" + line + "'";
    return text;
  }

  std::string device = "cpu";
};

void write_reports(const ScaleCommand& command, const std::vector<ScaleRow>& rows) {
  write_text_atomically(command.out / "scale.csv", scale_csv(rows));
  write_text_atomically(command.out / "scale.json",
                        dump_json(scale_json(rows, command.study), 2) + "\n");
  scale_page(rows, command.study).write(command.out / "scale.html");
}

}  // namespace

int bench_scale(std::span<const std::string> args, CommandContext& context) {
  ScaleCommand command;
  command.study.step.steps = 3;
  command.study.step.rounds = 3;
  OptionSet options("bench scale",
                    "Measures strong and weak scaling: each point is edt bench step on its own "
                    "ranks, several times in turn. Reports: terminal, scale.json, scale.csv and "
                    "scale.html in the study's directory.");
  command.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const bool reports_only = !command.run && command.slurm_out.empty();
  require<UsageError>(!reports_only || std::filesystem::is_directory(command.out), "bench scale",
                      "--run is off, and there is no study in {}", command.out.string());
  require_directory(command.out, "--out");
  if (!command.slurm_out.empty()) require_directory(command.slurm_out, "--slurm-out");
  command.study.step.model = command.model.resolve(1000);
  command.study.step_arguments = command.step_arguments(options);
  const StudyPlan plan = plan_study(command.study);
  std::optional<Cluster> cluster;
  if (!command.cluster.empty()) cluster = read_cluster(command.cluster);
  const Study study(command.out, command.study);
  context.run_started = !reports_only;
  for (const std::string& line : plan.left_out) log::warning("left out: {}", line);
  if (!command.slurm_out.empty()) {
    study.write_jobs(plan.points, command.slurm_out);
    context.print(
        "{} points: hand them to Slurm with {}/submit.sh, then run this command with "
        "--run off\n",
        plan.points.size(), command.slurm_out.string());
    return kDone;
  }
  for (int repeat = 0; command.run && repeat < command.study.repeats; ++repeat) {
    for (const ScalePoint& point : plan.points) {
      if (study.result(point, repeat)) continue;
      log::info("{}, repeat {} of {}", point.key(), repeat + 1, command.study.repeats);
      study.measure(point, repeat, command.launch);
    }
  }
  const auto rows = scale_rows(study, plan.points, command.study, cluster ? &*cluster : nullptr);
  require<DataError>(!rows.empty(), "bench scale", "{} holds no measurement of these points",
                     command.out.string());
  write_reports(command, rows);
  if (command.json) {
    context.print("{}\n", dump_json(scale_json(rows, command.study), 2));
  } else {
    context.print("{}\n{}\n", scale_text(rows), "Also in " + (command.out / "scale.html").string());
  }
  return kDone;
}

}  // namespace edt
