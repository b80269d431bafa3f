// edt doctor: what this machine has, and what would fail on it.
#include <algorithm>

#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/doctor_report.h"
#include "launcher/commands/run_preflight.h"
#include "launcher/commands/table.h"
#include "launcher/plan/calibrate.h"
#include "launcher/plan/link_timing.h"
#include "launcher/text/report.h"
#include "launcher/version.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

struct DoctorOptions {
  fs::path path = ".", measure;
  DeviceKind device = DeviceKind::kCpu;
  bool json = false;

  void declare(OptionSet& options) {
    options
        .add("directory", &path,
             "where data or checkpoints are to go; of a run, also whether its checkpoints fit")
        .positional();
    options.add("json", &json, "for scripts");
    options.add("measure", &measure,
                "time the products, the memory and the messages of all ranks, name nodes and links "
                "that are slower than the others, and write, or add to, this cluster file of edt "
                "plan: for the step of the run in the directory, or of EDT-S/2 with 4 images");
    const OptionSet::Scope scope(options, "--measure");
    const std::vector<std::pair<std::string, DeviceKind>> kinds{{"cpu", DeviceKind::kCpu},
                                                                {"cuda", DeviceKind::kCuda}};
    options.add("device", &device, kinds, "what is measured")
        .alias("run.device")
        .default_is("that of the run in the directory, else cpu");
  }
};

// As edt train does: a fresh run is refused, one that goes on is warned.
std::vector<Finding> findings(const DiskPreflight& preflight) {
  const std::string shortage = preflight.shortage();
  if (shortage.empty()) return {};
  return {{preflight.present.empty(), shortage}};
}

// The recipe whose step is measured, and whose ranks are placed. The first rank reads it for all:
// what others may not see is what a doctor is asked for.
TrainConfig recipe_of(const DoctorOptions& doctor, const OptionSet& options, Communicator& world) {
  ConfigurationText of_run;
  if (world.is_root()) of_run = configuration_text_of(doctor.path).value_or(of_run);
  of_run.file = world.broadcast(of_run.file, 0, "file of the configuration");
  of_run.text = world.broadcast(of_run.text, 0, "configuration");
  TrainConfig config;
  if (!of_run.file.empty()) config = read_configuration(of_run);
  constexpr std::int64_t kImages = 4;
  if (config.train.micro_batch == 0) config.train.micro_batch = kImages;
  if (options.given("device")) config.run.device.kind = doctor.device;
  return config;
}

ModelConfig model_of(const TrainConfig& config, Communicator& world) {
  const std::string classes = world.broadcast(
      world.is_root() ? std::to_string(classes_of(config.data.path)) : "", 0, "classes");
  return config.model.resolve(std::stoll(classes));
}

// What would be found wrong behind minutes of measuring.
void check_measuring(const DoctorOptions& doctor, const TrainConfig& config, Communicator& world) {
  if (world.is_root()) require_writable(doctor.measure, "--measure", ".ini");
  require<UsageError>(config.run.device.kind != DeviceKind::kReference, "doctor",
                      "run.device of {} is reference, which has nothing to measure: --device cpu",
                      doctor.path.string());
  (void)find_hosts(world);
}

// Rates, and the cluster file; that one first, as it may be there and be refused.
JobRates measure(const TrainConfig& config, const fs::path& file, CommandContext& context) {
  Communicator& world = context.world;
  const auto backend = config.run.device.make_backend(world);
  const PlannedStep step = step_to_calibrate(config, model_of(config, world));
  constexpr int kRounds = 2;
  log::info("measuring steps of {} with {}", step.model.name(),
            counted(static_cast<std::uint64_t>(step.engine.micro_batch), "image"));
  const Cluster cluster = calibrate_into(file, step, *backend, world, kRounds);
  log::info("{}", calibration_text(file, cluster));
  return measure_job(step, *backend, world);
}

// One rank speaks for all; what is wrong with one node is wrong with the job.
void find(Examination& seen) {
  const auto add = [&](std::vector<Finding> more) {
    seen.findings.insert(seen.findings.end(), more.begin(), more.end());
  };
  add(findings(seen.machine, sharing_ranks(seen.placement)));
  add(findings(seen.gpus));
  add(findings(seen.directory));
  if (seen.preflight) add(findings(*seen.preflight));
  if (seen.slurm) add(findings(*seen.slurm));
  add(findings(seen.nodes, seen.directory.path));
  add(findings(seen.placement));
  if (seen.rates) add(findings(*seen.rates));
}

}  // namespace

int doctor(std::span<const std::string> args, CommandContext& context) {
  DoctorOptions doctor;
  OptionSet options(
      "doctor",
      "Says what this machine has, and what would fail on it. Status 1 when something "
      "would. Started on many ranks it compares their nodes.");
  doctor.declare(options);
  if (!read_options(options, args, context)) return kDone;
  const bool measures = options.given("measure");
  require<UsageError>(!measures || !doctor.measure.empty(), "doctor", "--measure has no name");
  if (!measures) options.refuse_others({}, "nothing is measured");

  Examination seen;
  const TrainConfig recipe = recipe_of(doctor, options, context.world);
  if (measures) check_measuring(doctor, recipe, context.world);
  seen.placement = recipe.run.device.take_cores(context.world);  // as a run does first
  seen.machine = probe_machine();
  seen.gpus = probe_gpus();
  seen.directory = probe_directory(doctor.path);
  seen.preflight = preflight_of_run(doctor.path);
  seen.nodes = survey(seen.machine, seen.directory.path, version_text(), context.world);
  if (context.world.is_root()) seen.slurm = probe_slurm_site();
  if (measures) seen.rates = measure(recipe, doctor.measure, context);
  find(seen);

  if (doctor.json) {
    print_json(context, seen);
  } else {
    print_text(context, seen);
  }
  const bool fails =
      std::any_of(seen.findings.begin(), seen.findings.end(), [](auto& f) { return f.fails; });
  return context.world.any(fails, "findings") ? kFailed : kDone;
}

}  // namespace edt
