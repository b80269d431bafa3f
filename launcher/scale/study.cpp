#include "launcher/scale/study.h"

#include <fmt/ranges.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "core/base/shell_text.h"
#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "launcher/exit_status.h"

namespace edt {
namespace {

using Json = nlohmann::json;

Json description(const StudyOptions& options) {
  return {{"step", options.step_arguments},
          {"strong_batch", options.strong_batch},
          {"weak_batch", options.weak_batch},
          {"micro_batch", options.step.micro_batch}};
}

// Micro-batches of a data rank, or why there is no such point.
std::int64_t accumulation(const StudyOptions& options, const ScalePoint& point) {
  const std::int64_t images = point.scaling == Scaling::kStrong
                                  ? options.strong_batch
                                  : options.weak_batch * point.data_ranks();
  check_mesh({.ranks = point.ranks,
              .tensor_ranks = point.tensor,
              .micro_batches = std::max<std::int64_t>(images / options.step.micro_batch, 1),
              .model = options.step.model.name(),
              .tensor_degrees = options.step.model.tensor_degrees()});
  require<UsageError>(images % options.step.micro_batch == 0, "bench scale",
                      "{} images are no multiple of the micro-batch {}", images,
                      options.step.micro_batch);
  return images / options.step.micro_batch / point.data_ranks();
}

std::string program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

// The line of edt that says why, or else the last one that is more than a rule of dashes.
std::string reason_in(const std::filesystem::path& file) {
  std::istringstream text(std::filesystem::exists(file) ? read_text(file) : "");
  std::string reason;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("edt: error:")) return line;
    if (line.find_first_not_of("- ") != line.npos) reason = line;
  }
  return reason;
}

}  // namespace

std::string ScalePoint::key() const {
  return fmt::format("{}-r{}-t{}-z{}", scaling == Scaling::kStrong ? "strong" : "weak", ranks,
                     tensor, zero);
}

std::string ScalePoint::series() const {
  return fmt::format("{}, tensor {}, zero {}", scaling == Scaling::kStrong ? "strong" : "weak",
                     tensor, zero);
}

StudyPlan plan_study(const StudyOptions& options) {
  StudyPlan plan;
  for (const Scaling scaling : {Scaling::kStrong, Scaling::kWeak}) {
    const bool wanted =
        (scaling == Scaling::kStrong ? options.strong_batch : options.weak_batch) > 0;
    if (!wanted) continue;
    for (const int tensor : options.tensor) {
      for (const int zero : options.zero) {
        for (const int ranks : options.ranks) {
          ScalePoint point{scaling, ranks, tensor, zero};
          try {
            point.accumulate = accumulation(options, point);
            plan.points.push_back(point);
          } catch (const UsageError& error) {
            plan.left_out.push_back(fmt::format("{}: {}", point.key(), error.what()));
          }
        }
      }
    }
  }
  require<UsageError>(!plan.points.empty(), "bench scale", "there is no point to measure{}{}",
                      plan.left_out.empty() ? ": give --strong-batch or --weak-batch" : "; ",
                      plan.left_out.empty() ? "" : plan.left_out.front());
  return plan;
}

Study::Study(std::filesystem::path directory, const StudyOptions& options)
    : directory_(std::move(directory)), options_(options) {
  make_directories(directory_ / "results");
  const std::filesystem::path file = directory_ / "study.json";
  const Json now = description(options);
  if (!std::filesystem::exists(file)) {
    write_text_atomically(file, dump_json(now, 2) + "\n");
    return;
  }
  const Json before = try_parse_json(read_text(file));
  require<UsageError>(before.is_object(), "bench scale", "{} is damaged", file.string());
  for (const auto& [key, value] : now.items()) {
    require<UsageError>(before.value(key, Json()) == value, "bench scale",
                        "the study in {} has {} {}, now it is {}", directory_.string(), key,
                        dump_json(before.value(key, Json())), dump_json(value));
  }
}

std::filesystem::path Study::result_file(const ScalePoint& point, int repeat) const {
  return directory_ / "results" / fmt::format("{}.{}.json", point.key(), repeat);
}

std::string Study::arguments(const ScalePoint& point) const {
  return fmt::format("{} --accumulate={} --parallel.tensor={} --parallel.zero={} --json",
                     options_.step_arguments, point.accumulate, point.tensor, point.zero);
}

std::optional<Json> Study::result(const ScalePoint& point, int repeat) const {
  const std::filesystem::path file = result_file(point, repeat);
  if (!std::filesystem::exists(file)) return std::nullopt;
  Json json = try_parse_json(read_text(file));
  if (!json.is_object() || !json.contains("images_per_s")) return std::nullopt;  // of a failed job
  return json;
}

std::vector<Json> Study::results(const ScalePoint& point) const {
  std::vector<Json> all;
  for (int repeat = 0; repeat < options_.repeats; ++repeat) {
    if (auto json = result(point, repeat)) all.push_back(std::move(*json));
  }
  return all;
}

void Study::measure(const ScalePoint& point, int repeat, const std::string& launch) const {
  std::string start = launch;
  if (const auto at = start.find("{ranks}"); at != start.npos) {
    start.replace(at, 7, std::to_string(point.ranks));
  }
  const std::filesystem::path file = result_file(point, repeat);
  const std::filesystem::path log = directory_ / "last-error.log";
  PartialFile partial(file);
  const std::string command = fmt::format(
      "{} {} bench step {} >{} 2>{} </dev/null", start, shell_quoted(program()), arguments(point),
      shell_quoted(partial.partial().string()), shell_quoted(log.string()));
  const int status = std::system(command.c_str());
  if (WIFEXITED(status) && WEXITSTATUS(status) == kBrokenOff) {
    fail<CommunicationError>("bench scale", "{} was broken off: {} ({})", point.key(),
                             reason_in(log), command);
  }
  require<Error>(status == 0, "bench scale", "{} failed: {} ({})", point.key(), reason_in(log),
                 command);
  partial.commit();
}

void Study::write_jobs(const std::vector<ScalePoint>& points,
                       const std::filesystem::path& to) const {
  make_directories(to);
  std::vector<int> counts;
  for (const ScalePoint& point : points) counts.push_back(point.ranks);
  std::ranges::sort(counts);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  const std::string results = std::filesystem::absolute(directory_ / "results").string();
  std::string submit =
      "#!/usr/bin/env bash\n# Hands the study's job arrays to Slurm. Measured "
      "points are passed over.\nset -euo pipefail\ncd \"$(dirname \"$0\")\"\n";
  for (const int ranks : counts) {
    std::string list;
    int rows = 0;
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      for (const ScalePoint& point : points) {
        if (point.ranks != ranks) continue;
        list += fmt::format("{}.{}\t{}\n", point.key(), repeat, arguments(point));
        ++rows;
      }
    }
    const std::string name = fmt::format("scale-{}", ranks);
    write_text_atomically(to / (name + ".tsv"), list);
    write_text_atomically(
        to / (name + ".sbatch"),
        fmt::format("#!/usr/bin/env bash\n"
                    "#SBATCH --job-name=edt-{0}\n#SBATCH --ntasks={1}\n#SBATCH --array=0-{2}%1\n"
                    "#SBATCH --output={0}-%a.log\n"
                    "# One measurement of {0}.tsv for each task of the array.\n"
                    "set -euo pipefail\n"
                    "row=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {0}.tsv)\n"
                    "result={3}/${{row%%$'\\t'*}}.json\n"
                    "[[ -e $result ]] && exit 0\n"
                    "srun ${{EDT:-{4}}} bench step ${{row#*$'\\t'}} >\"$result.partial\"\n"
                    "mv \"$result.partial\" \"$result\"\n",
                    name, ranks, rows - 1, shell_quoted(results), shell_quoted(program())));
    submit += fmt::format("sbatch \"$@\" {}.sbatch\n", name);
  }
  write_text_atomically(to / "submit.sh", submit);
  std::filesystem::permissions(to / "submit.sh", std::filesystem::perms::owner_exec,
                               std::filesystem::perm_options::add);
}

}  // namespace edt
