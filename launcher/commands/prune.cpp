// edt prune: a smaller network of a trained run. Masks learn what it can do without, it is cut, and
// the smaller one goes on, with the whole one as its teacher. Started again it goes on where it
// was.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/shell_text.h"
#include "core/json/json_bytes.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/recipe/pruned_weights.h"
#include "launcher/recipe/trained_model.h"
#include "launcher/run/run_directory.h"
#include "model/auxiliary/sparsity.h"
#include "model/plan/gemms.h"

namespace edt {
namespace {

constexpr const char* kOrigin = "pruned.json";  // in OUT: of what
constexpr std::array kOfTraining{"model", "process", "data", "train", "optimizer", "parallel"};

struct PruneCommand {
  std::filesystem::path run, out;
  std::int64_t mask_steps = 10000, tune_steps = 10000;
  bool distilled = true;
  TrainConfig training;

  void declare(OptionSet& options);
};

void PruneCommand::declare(OptionSet& options) {
  options
      .add("whole", &run,
           "the run to be pruned, or a checkpoint; or one whose masks are there (edt train "
           "--prune.target)")
      .positional()
      .required()
      .command_line_only();
  options.add("out", &out, "a new run directory, of the smaller network")
      .positional()
      .required()
      .command_line_only();
  options.add("mask-steps", &mask_steps, "steps that the masks train, in OUT/masks")
      .at_least(1)
      .command_line_only();
  options.add("tune-steps", &tune_steps, "steps of the smaller network; 0: it is cut alone")
      .at_least(0)
      .command_line_only();
  options
      .add("distilled", &distilled,
           "the whole network is the teacher of both, where distill.from names none")
      .command_line_only();
  training.declare(options);
  options.not_required("data.path");
  options.not_required("run.dir");
}

// What the run was trained with and what was given, but for options of these names.
std::vector<std::string> arguments_of(const OptionSet& options,
                                      std::vector<std::string_view> sections,
                                      const std::vector<std::string>& without) {
  sections.insert(sections.end(), kOfTraining.begin(), kOfTraining.end());
  std::vector<std::string> arguments;
  for (const std::string_view section : sections) {
    for (std::string& argument : options.given_arguments(section)) {
      const std::string name = argument.substr(2, argument.find('=') - 2);
      if (std::ranges::find(without, name) == without.end()) {
        arguments.push_back(std::move(argument));
      }
    }
  }
  return arguments;
}

// Whether somebody asks for it now, and it does not come from the run.
bool given_now(const OptionSet& options, const std::string& name) {
  return options.given(name) && options.origin(name).find(kManifestName) == std::string::npos;
}

// Nothing where there is no run, which is for Pruning to say.
std::optional<IniFile> configuration_for_pruning(const std::filesystem::path& run) {
  std::error_code ignored;
  if (!std::filesystem::exists(run, ignored)) return {};
  const Checkpoint checkpoint = find_checkpoint(run);
  IniFile ini =
      parse_ini(checkpoint.info().configuration, (checkpoint.path() / kManifestName).string());
  std::erase_if(ini.entries, [](const IniEntry& entry) {
    const std::string section = entry.key.substr(0, entry.key.find('.'));
    return std::ranges::find(kOfTraining, section) == kOfTraining.end();
  });
  return ini;
}

class Pruning {
 public:
  Pruning(const PruneCommand& chosen, const OptionSet& options, CommandContext& context)
      : chosen_(chosen),
        options_(options),
        context_(context),
        whole_(find_checkpoint(chosen.run)) {}

  int run();

 private:
  bool is_cut() const;
  std::map<std::string, std::string> choices() const;
  std::string origin() const;
  void require_same_choices(const nlohmann::json& origin) const;
  StoredMasks all_stays(const ModelConfig& model) const;
  void check_masks_to_come(const ModelConfig& model) const;
  int train_masks() const;
  void cut(const Checkpoint& from, const StoredMasks& masks, std::vector<std::string> teacher);
  std::string configuration_of_cut(const ModelConfig& model,
                                   std::vector<std::string> teacher) const;
  std::vector<std::string> teacher_of_both() const;
  int tune() const;

  const PruneCommand& chosen_;
  const OptionSet& options_;
  CommandContext& context_;
  Checkpoint whole_;
};

// What the masks are made with, which is over once they are cut.
std::map<std::string, std::string> Pruning::choices() const {
  std::map<std::string, std::string> all{{"mask-steps", std::to_string(chosen_.mask_steps)},
                                         {"distilled", chosen_.distilled ? "on" : "off"}};
  for (const IniEntry& entry : parse_ini(options_.to_ini(), "configuration").entries) {
    if (entry.key.starts_with("prune.")) all[entry.key] = entry.value;
  }
  return all;
}

std::string Pruning::origin() const {
  const nlohmann::ordered_json json{
      {"from", json_of_bytes(std::filesystem::weakly_canonical(chosen_.run).native())},
      {"options", choices()}};
  return dump_json(json, 2) + "\n";
}

void Pruning::require_same_choices(const nlohmann::json& origin) const {
  const nlohmann::json before = origin.value("options", nlohmann::json::object());
  for (const auto& [name, now] : choices()) {
    const std::string then = before.value(name, "");
    require<UsageError>(then == now || !given_now(options_, name), "prune",
                        "{} is cut already, with {} {}; now it is {}", chosen_.out.string(), name,
                        then, now);
  }
}

// OUT of another command is left alone.
bool Pruning::is_cut() const {
  const auto entries = CheckpointStore(chosen_.out / "checkpoints").entries();
  if (!std::ranges::any_of(entries, &CheckpointStore::Entry::complete)) return false;
  const nlohmann::json origin = try_parse_json(text_if_there(chosen_.out / kOrigin));
  const bool is_ours = origin.is_object() &&
                       origin.value("from", nlohmann::json()) ==
                           json_of_bytes(std::filesystem::weakly_canonical(chosen_.run).native());
  require<UsageError>(is_ours, "prune",
                      "out is {}, which holds another run than one that was pruned from {}",
                      chosen_.out.string(), chosen_.run.string());
  require_same_choices(origin);
  return true;
}

std::vector<std::string> Pruning::teacher_of_both() const {
  if (options_.given("distill.from")) return options_.given_arguments("distill");
  if (!chosen_.distilled) return {};
  std::vector<std::string> teacher = options_.given_arguments("distill");
  teacher.push_back("--distill.from=" + whole_.path().string());
  return teacher;
}

// At a target of 1.
StoredMasks Pruning::all_stays(const ModelConfig& model) const {
  std::vector<UnitLayer> layers = unit_layers(model, {true, true});
  std::size_t units = 0;
  for (const UnitLayer& layer : layers) units += static_cast<std::size_t>(layer.units);
  return {
      {model, layers, std::vector<float>(units, 1.f), std::vector<bool>(units, true)}, 1, 1, true};
}

void Pruning::check_masks_to_come(const ModelConfig& model) const {
  const TrainConfig& training = chosen_.training;
  require<UsageError>(
      training.prune.target > 0, "prune",
      "{} has no masks, and --target is {}: the share of its products that is to be "
      "left, above 0",
      whole_.path().string(), training.prune.target);
  check_sparsity(*training.prune.resolve(model, training.optimizer), {}, model);
  // Masks train over data ranks alone, the smaller network over those of the run.
  const std::int64_t tensor = training.parallel.tensor;
  const auto check_multiple = [&](const char* option, std::int64_t multiple) {
    require<UsageError>(
        multiple % tensor == 0, "prune",
        "parallel.tensor is {}, and {} is {}: it has to be a multiple of the tensor "
        "ranks that the smaller network is to have",
        tensor, option, multiple);
  };
  if (training.prune.prunes("heads")) {
    check_multiple("prune.head-multiple", training.prune.head_multiple);
  }
  if (training.prune.prunes("hidden")) {
    check_multiple("prune.hidden-multiple", training.prune.hidden_multiple);
  }
}

int Pruning::train_masks() const {
  std::vector<std::string> arguments =
      arguments_of(options_, {"align", "prune", "run"},
                   {"train.steps", "run.dir", "run.init-from", "parallel.tensor"});
  const std::filesystem::path masks = chosen_.out / "masks";
  for (std::string& argument : teacher_of_both()) arguments.push_back(std::move(argument));
  arguments.push_back("--run.init-from=" + whole_.path().string());
  arguments.push_back(fmt::format("--train.steps={}", chosen_.mask_steps));
  if (!options_.given("prune.decided-by")) {
    const std::int64_t decided = std::max<std::int64_t>(1, chosen_.mask_steps * 3 / 4);
    arguments.push_back(fmt::format("--prune.decided-by={}", decided));
  }
  arguments.push_back("--run.dir=" + masks.string());
  return train(arguments, context_);
}

std::string Pruning::configuration_of_cut(const ModelConfig& model,
                                          std::vector<std::string> teacher) const {
  std::vector<std::string> without{"train.steps", "run.dir", "run.init-from", "model.block-heads",
                                   "model.block-hidden"};
  const std::int64_t classes = model.common().classes;
  if (classes > 0) without.emplace_back("model.classes");
  std::vector<std::string> arguments = arguments_of(options_, {"align", "run"}, without);
  if (classes > 0) arguments.push_back(fmt::format("--model.classes={}", classes));
  for (std::string& argument : teacher) arguments.push_back(std::move(argument));
  const UnitCounts& kept = model.common().kept;
  if (!kept.heads.empty()) {
    arguments.push_back(fmt::format("--model.block-heads={}", fmt::join(kept.heads, ",")));
  }
  if (!kept.hidden.empty()) {
    arguments.push_back(fmt::format("--model.block-hidden={}", fmt::join(kept.hidden, ",")));
  }
  if (chosen_.tune_steps > 0) {
    arguments.push_back(fmt::format("--train.steps={}", chosen_.tune_steps));
  }
  arguments.push_back("--run.dir=" + chosen_.out.string());
  TrainConfig config;
  OptionSet options("train", "");
  config.declare(options);
  options.parse(arguments);
  config.validate();
  return options.to_ini();
}

// The first rank writes for all.
void Pruning::cut(const Checkpoint& from, const StoredMasks& masks,
                  std::vector<std::string> teacher) {
  require<UsageError>(
      masks.decided, "prune",
      "{} is at step {}, and its masks have not decided yet: {:.4f} of the products "
      "are left, prune.target is {}; edt train goes on",
      from.path().string(), from.info().step, masks.share, masks.target);
  const ModelConfig model = masks.cut.model();
  const std::vector<int> degrees = model.tensor_degrees();
  const int tensor = chosen_.training.parallel.tensor;
  require<UsageError>(std::ranges::find(degrees, tensor) != degrees.end(), "prune",
                      "parallel.tensor is {}, and what is left of {} can be cut into {}", tensor,
                      from.path().string(), fmt::join(degrees, ", "));
  const std::string configuration = configuration_of_cut(model, std::move(teacher));
  const RunDirectory directory(chosen_.out, context_.world);
  std::string failed;
  if (context_.world.is_root()) {
    try {
      write_text_atomically(chosen_.out / kOrigin, origin());
      write_cut(from, masks.cut, configuration, CheckpointStore(directory.checkpoints()));
      directory.begin(configuration);
    } catch (const Error& error) {
      failed = error.what();
    }
  }
  failed = context_.world.first_of_all(failed, "the cut network");
  require<CheckpointError>(failed.empty(), "prune", "{}", failed);
  const double macs = total_macs(forward_gemms(model, 1));
  context_.note("{}: {:.4f} of the products are left ({:.2f} GMAC a picture), prune.target {}\n",
                chosen_.out.string(), masks.share, macs * 1e-9, masks.target);
  const UnitCounts& kept = model.common().kept;
  if (!kept.heads.empty()) context_.note("heads of each block: {}\n", fmt::join(kept.heads, ","));
  if (!kept.hidden.empty()) {
    context_.note("hidden units of each block: {}\n", fmt::join(kept.hidden, ","));
  }
}

int Pruning::tune() const {
  if (chosen_.tune_steps == 0) {
    context_.note("to train on: edt train --run.dir {}\n", shell_quoted(chosen_.out.string()));
    return kDone;
  }
  // What was cut before takes what is given now.
  std::vector<std::string> arguments = arguments_of(
      options_, {"align", "distill", "run"},
      {"train.steps", "run.dir", "run.init-from", "model.block-heads", "model.block-hidden"});
  std::erase_if(arguments, [&](const std::string& argument) {
    return !given_now(options_, argument.substr(2, argument.find('=') - 2));
  });
  if (options_.given("tune-steps")) {
    arguments.push_back(fmt::format("--train.steps={}", chosen_.tune_steps));
  }
  arguments.push_back("--run.dir=" + chosen_.out.string());
  return train(arguments, context_);
}

int Pruning::run() {
  if (is_cut()) return tune();
  const TrainConfig trained = configuration_of(whole_);
  const ModelConfig model = model_config_of(whole_, trained);
  require<UsageError>(!model.common().gates.is_on(), "prune",
                      "{} has gates (dynamic.target = {}): a unit has a mask or a gate",
                      whole_.path().string(), model.common().gates.target);
  if (const auto masks = masks_in(whole_, trained, model)) {
    require<UsageError>(!options_.given("prune.target"), "prune",
                        "--target is {}, and {} has masks, which were to leave {}: leave it out",
                        chosen_.training.prune.target, whole_.path().string(), masks->target);
    require<UsageError>(!options_.given("mask-steps"), "prune",
                        "--mask-steps is {}, and {} has masks: leave it out", chosen_.mask_steps,
                        whole_.path().string());
    std::vector<std::string> teacher = options_.given_arguments("distill");
    if (!options_.given("distill.from") && !trained.distill.from.empty() && chosen_.distilled) {
      teacher.push_back("--distill.from=" + trained.distill.from.string());
    }
    cut(whole_, *masks, std::move(teacher));
    return tune();
  }
  check_masks_to_come(model);
  if (chosen_.training.prune.target >= 1) {
    cut(whole_, all_stays(model), teacher_of_both());
    return tune();
  }
  if (const int status = train_masks(); status != kDone) return status;
  const Checkpoint masked = find_checkpoint(chosen_.out / "masks");
  const auto masks = masks_in(masked, configuration_of(masked), model);
  require<CheckpointError>(masks.has_value(), "prune", "{} has no masks", masked.path().string());
  cut(masked, *masks, teacher_of_both());
  return tune();
}

}  // namespace

int prune(std::span<const std::string> args, CommandContext& context) {
  PruneCommand chosen;
  OptionSet options("prune",
                    "Makes a smaller network of a trained run: masks on heads and hidden units "
                    "learn what it can do without (DMAD), the network is cut, and the smaller one "
                    "learns of the whole one. Options of training that are not given are those of "
                    "the run. Started again, it goes on where it was.");
  chosen.declare(options);
  options.begin_with("whole", [](const std::filesystem::path& run, const auto&) {
    return configuration_for_pruning(run);
  });
  if (!read_options(options, args, context)) return kDone;
  context.resumable = true;
  require<UsageError>(
      options.origin("train.steps") != "command line", "prune",
      "--train.steps is given: --mask-steps and --tune-steps say how long the masks "
      "and the smaller network train");
  return Pruning(chosen, options, context).run();
}

}  // namespace edt
