#include "launcher/train/ceiling_gauge.h"

#include <algorithm>
#include <cmath>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "launcher/memory/memory_check.h"
#include "launcher/text/report.h"

namespace edt {
namespace {

constexpr double kShareOfTime = 1e-3, kShareOutdated = 1e-2;  // of the run
constexpr double kLeastSeconds = 60, kLeastOutdated = 1;
constexpr double kNews = 0.1;  // by how much it differs where the log says so

double clock_seconds() {
  static const auto begin = Clock::now();
  return seconds_since(begin);
}

double operand_bytes(const std::vector<MatmulForm>& forms, DType dtype) {
  std::int64_t a = 0, b = 0, c = 0;
  for (const MatmulForm& form : forms) {
    a = std::max(a, form.batch * form.m * form.k);
    b = std::max(b, form.batch * form.k * form.n);
    c = std::max(c, form.batch * form.m * form.n);
  }
  return static_cast<double>(a + b + c) * static_cast<double>(size_of(dtype));
}

}  // namespace

void CeilingSchedule::taken(double now, double cost) {
  believes_steps_ = share_ <= 1;
  share_ = 0;
  last_ = now;
  cost_ = cost;
}

void CeilingSchedule::reached(double share) {
  share_ = share;
  if (share <= 1) believes_steps_ = true;
}

// On a machine that has become faster since, it costs less too.
bool CeilingSchedule::is_due(double now) const {
  if (share_ > 1 && believes_steps_) {
    return now - last_ > std::max(kLeastOutdated, cost_ / share_ / kShareOutdated);
  }
  return now - last_ > std::max(kLeastSeconds, cost_ / kShareOfTime);
}

CeilingGauge::CeilingGauge(Backend& backend, std::vector<MatmulForm> forms, DType dtype,
                           Communicator& world)
    : backend_(backend), forms_(std::move(forms)), dtype_(dtype), world_(world) {
  take();
}

bool CeilingGauge::is_due() const { return rate_ > 0 && schedule_.is_due(clock_seconds()); }

double CeilingGauge::take_again() {
  const auto begin = Clock::now();
  const double before = rate_;
  // The operands lie beside all that a training step has taken by now. The same on all ranks.
  const double free = memory_of_each_rank(backend_.memory(), world_).bytes;
  if (free < 2 * operand_bytes(forms_, dtype_)) {
    schedule_.taken(clock_seconds(), cost_);
  } else {
    take();
    const bool is_news = std::abs(rate_ / before - 1) > kNews;
    log::write(
        is_news ? log::Level::kInfo : log::Level::kDebug,
        fmt::format("ceiling taken again: {}, before {}", human_flops(rate_), human_flops(before)));
  }
  return seconds_since(begin);
}

void CeilingGauge::take() {
  const auto begin = Clock::now();
  const auto ceiling = backend_.matmul_ceiling(forms_, dtype_);
  if (ceiling == nullptr) return;
  world_.barrier("begin of the ceiling");
  ceiling->run();
  rate_ = world_.all_reduce_value(ceiling->flops() / ceiling->run(), Reduce::kSum, "ceiling");
  cost_ = seconds_since(begin);
  schedule_.taken(clock_seconds(), cost_);
}

}  // namespace edt
