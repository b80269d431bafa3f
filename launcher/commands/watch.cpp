// edt watch: how runs are doing, in the terminal, on a page, or for scripts.
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/options/options.h"
#include "core/storage/access.h"
#include "core/storage/durable_file.h"
#include "launcher/commands/table.h"
#include "launcher/watch/frame.h"
#include "launcher/watch/run_view.h"
#include "launcher/watch/terminal_screen.h"
#include "launcher/watch/watch_json.h"
#include "launcher/watch/watch_page.h"
#include "launcher/watch/wording.h"

namespace edt {
namespace {

struct WatchOptions {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path html;
  double every = 5;
  std::int64_t forecast = 0;
  bool once = false, json = false;

  void declare(OptionSet& options);
};

void WatchOptions::declare(OptionSet& options) {
  options.add("runs", &runs, "run directories").alias("run.dir").positional_list().required();
  options.add("once", &once, "look once and end");
  options.add("every", &every, "time between looks").unit("seconds").range(0.1, 3600);
  options.add("html", &html, "write a page instead, which is renewed until the runs have ended");
  options
      .add("forecast", &forecast,
           "the step that the loss is forecast at, by a power law through its curve, where it is "
           "one; 0: none")
      .at_least(0)
      .default_is("the last step of the run");
  options.add("json", &json, "look once, for scripts");
}

void look(RunViews& runs) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (auto& run : runs) run->refresh(now);
}

bool all_ended(const RunViews& runs) {
  for (const auto& run : runs) {
    if (may_go_on(run->state().phase)) return false;
  }
  return true;
}

void write_page(const WatchOptions& options, const RunViews& runs) {
  const bool again = !options.once && !all_ended(runs);
  watch_page(runs, again ? std::optional(options.every) : std::nullopt).write(options.html);
}

// Until the user or a signal ends it, or, where only a page is written, the runs are over.
void follow(const WatchOptions& options, RunViews& runs) {
  const WatchSignals signals;
  std::optional<TerminalScreen> screen;
  if (output_is_terminal()) screen.emplace();
  for (bool going_on = true; going_on; look(runs)) {
    if (!options.html.empty()) write_page(options, runs);
    if (!screen) {
      if (all_ended(runs)) return;
      going_on = WatchSignals::wait(options.every);
      continue;
    }
    const std::string footer =
        fmt::format("{} · every {:g} s · q ends", clock_text(runs.front()->now()), options.every);
    screen->show(frame(runs, look_of_output(), footer));
    going_on = screen->wait(options.every);
  }
}

}  // namespace

int watch(std::span<const std::string> args, CommandContext& context) {
  WatchOptions options;
  OptionSet set(
      "watch",
      "Shows how training runs are doing, running or ended: edt watch RUNDIR [RUNDIR...]. "
      "Nothing is written to them.");
  options.declare(set);
  if (!read_options(set, args, context)) return kDone;
  require<UsageError>(!options.json || options.html.empty(), "watch",
                      "--json and --html exclude each other");
  RunViews runs = open_runs(options.runs);
  if (set.given("forecast")) {
    for (auto& run : runs) run->forecast_at(options.forecast);
  }
  look(runs);
  if (!options.html.empty()) {
    require_name_of(".html .htm", options.html, "--html");
    try {
      write_page(options, runs);
    } catch (const DiskError&) {
      throw;
    } catch (const SystemError& error) {
      fail<UsageError>("watch", "--html: {}", error.what());
    }
  }
  if (options.json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const auto& run : runs) all.push_back(to_json(*run));
    context.print("{}\n", dump_json(nlohmann::ordered_json{{"runs", all}}, 2));
    return kDone;
  }
  const bool page_only = !options.html.empty() && !output_is_terminal();
  if (!options.once && (output_is_terminal() || page_only)) {
    follow(options, runs);
    return kDone;
  }
  if (options.html.empty()) {
    for (const std::string& line : frame(runs, look_of_output())) context.print("{}\n", line);
  }
  return kDone;
}

}  // namespace edt
