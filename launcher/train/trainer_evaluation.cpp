// What the weights after a step are worth: held-out loss, evaluation, sample grids.
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/image/png.h"
#include "core/storage/durable_file.h"
#include "launcher/evaluate/quality_report.h"
#include "launcher/text/report.h"
#include "launcher/train/trainer.h"

namespace edt {

// Before the step is on record: what it says belongs to it, and is taken again with it.
void Trainer::judge(StepRecord& record) {
  if (!record.report.non_finite.empty()) return;
  const auto is_due = [&](std::int64_t every) { return every > 0 && engine_.step() % every == 0; };
  const bool of_held_out = held_out_ && is_due(config_.run.holdout_every);
  const bool of_samples = judge_ && is_due(config_.run.evaluate_every);
  if (!of_held_out && !of_samples) return;
  const auto begin = Clock::now();
  if (of_held_out) take_held_out_loss(record);
  if (of_samples) judge_samples(record);
  record.evaluation_seconds = seconds_since(begin);
  record.step_seconds += record.evaluation_seconds;
}

void Trainer::take_held_out_loss(StepRecord& record) {
  phase("held-out loss");
  const auto begin = Clock::now();
  record.held_out =
      held_out_->loss([this](const ValidationRows& rows) { return engine_.validate(rows); },
                      config_.train.micro_batch, mesh_.data());
  log::info("step {}: loss {:.4f} of held-out samples, {:.4f} of others, {} apart, in {}",
            engine_.step(), record.held_out->held_out, record.held_out->trained,
            human_percent(record.held_out->gap()), human_duration(seconds_since(begin)));
}

void Trainer::judge_samples(StepRecord& record) {
  phase("evaluation");
  if (has_no_time(judge_budget_, "evaluation")) {
    log::info("step {}: no evaluation: they have taken {} of the time, run.evaluate-share is {}",
              engine_.step(), human_percent(judge_budget_.share_of(seconds_since(began_))),
              config_.run.evaluate_share);
    return;
  }
  const auto begin = Clock::now();
  std::vector<float> weights = engine_.gather_moving_average();
  record.quality = judge_->judge(*average_, engine_.layout(), weights);
  judge_budget_.drew(seconds_since(begin));
  if (!record.quality) return;
  std::string figures;
  for (const auto& [name, value] : figures_of(*record.quality)) {
    figures += fmt::format("{}{} {:.5g}", figures.empty() ? "" : ", ", name, value);
  }
  log::info("step {}: {} of {} samples in {}; evaluation has taken {} of the time", engine_.step(),
            figures, config_.run.evaluate_samples, human_duration(seconds_since(begin)),
            human_percent(judge_budget_.share_of(seconds_since(began_))));
}

bool Trainer::has_no_time(const GridBudget& budget, std::string_view what) const {
  if (!budget.bounded()) return false;
  const bool is_left_out = world().is_root() && !budget.allows(seconds_since(began_));
  return world().any(is_left_out, what);
}

double Trainer::draw_samples(StepLog* log, SampleGrid& samples) {
  phase("samples");
  const auto begin = Clock::now();
  if (has_no_time(grid_budget_, "sample grid")) {
    log::info("step {}: no sample grid: they have taken {} of the time, run.sample-share is {}",
              engine_.step(), human_percent(grid_budget_.share_of(seconds_since(began_))),
              config_.run.sample_share);
    return seconds_since(begin);
  }
  std::vector<float> weights = engine_.gather_moving_average();
  const Image image = samples.draw(engine_.layout(), weights);
  if (log != nullptr) {
    directory_.token().check();
    const std::filesystem::path path = directory_.sample_grid(engine_.step());
    write_png(path, image);
    log->image(engine_.step(), image.comment.empty() ? "samples" : "samples (false colours)",
               read_text(path));
  }
  const double seconds = seconds_since(begin);
  grid_budget_.drew(seconds);
  log::info("step {}: sample grid in {}, {} of it decoding; grids have taken {} of the time",
            engine_.step(), human_duration(seconds), human_duration(samples.decoding_seconds()),
            human_percent(grid_budget_.share_of(seconds_since(began_))));
  return seconds;
}

}  // namespace edt
