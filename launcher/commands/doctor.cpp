// edt doctor: what this machine has, and what would fail on it.
#include <algorithm>

#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/doctor_report.h"
#include "launcher/commands/run_preflight.h"
#include "launcher/commands/table.h"
#include "launcher/plan/calibrate.h"
#include "launcher/train/micro_batch.h"
#include "launcher/version.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

struct DoctorOptions {
  fs::path path = ".", measure;
  DeviceOptions device;
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
    device.declare_kind(options, "");
  }
};

// As edt train does: a fresh run is refused, one that goes on is warned.
std::vector<Finding> findings(const DiskPreflight& preflight) {
  const std::string shortage = preflight.shortage();
  if (shortage.empty()) return {};
  return {{preflight.present.empty(), shortage}};
}

// The configuration whose step is measured.
TrainConfig measured_configuration(const DoctorOptions& doctor, const OptionSet& options) {
  TrainConfig config;
  config.train.micro_batch = 4;
  if (auto of_run = configuration_of(doctor.path)) config = std::move(*of_run);
  if (options.given("device")) config.run.device.kind = doctor.device.kind;
  return config;
}

JobRates measure(TrainConfig config, const fs::path& file, CommandContext& context) {
  Communicator& world = context.world;
  const auto backend = config.run.device.make_backend(world);
  const ModelConfig model = config.model.resolve(classes_of(config.data.path));
  choose_micro_batch(config, model, world.size(), {});
  const PlannedStep step = step_to_calibrate(config, model);
  constexpr int kRounds = 2;
  log::info("measuring steps of {} with {} images", step.model.name(), step.engine.micro_batch);
  const JobRates rates = measure_job(step, *backend, world);
  const Cluster cluster = calibrate_into(file, step, *backend, world, kRounds);
  log::info("{}", calibration_text(file, cluster));
  return rates;
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
  if (doctor.measure.empty()) options.refuse_others({}, "nothing is measured");
  require_writable(doctor.measure, "--measure", ".ini");

  Examination seen;
  // As a run does before anything else.
  seen.placement = place_ranks(context.world, Binding::kMemoryDomains);
  seen.machine = probe_machine();
  seen.gpus = probe_gpus();
  seen.directory = probe_directory(doctor.path);
  seen.preflight = preflight_of_run(doctor.path);
  seen.nodes = survey(seen.machine, seen.directory.path, version_text(), context.world);
  if (context.world.is_root()) seen.slurm = probe_slurm_site();
  if (!doctor.measure.empty()) {
    seen.rates = measure(measured_configuration(doctor, options), doctor.measure, context);
  }
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
