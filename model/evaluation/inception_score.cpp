#include "model/evaluation/inception_score.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace edt {
namespace {

// log of the softmax of each row, in double
std::vector<double> log_probabilities(const Features& logits) {
  std::vector<double> result(logits.values.begin(), logits.values.end());
  for (std::int64_t i = 0; i < logits.count(); ++i) {
    const std::span row(result.data() + i * logits.width, static_cast<std::size_t>(logits.width));
    const double largest = *std::ranges::max_element(row);
    double sum = 0;
    for (const double v : row) sum += std::exp(v - largest);
    for (double& v : row) v -= largest + std::log(sum);
  }
  return result;
}

double score_of(const Features& logits) {
  const std::vector<double> logs = log_probabilities(logits);
  const auto width = static_cast<std::size_t>(logits.width);
  std::vector<double> mean(width);
  double own = 0;  // sum of p log p
  for (std::size_t i = 0; i < logs.size(); ++i) {
    mean[i % width] += std::exp(logs[i]);
    own += std::exp(logs[i]) * logs[i];
  }
  const auto count = static_cast<double>(logits.count());
  double shared = 0;
  for (double& p : mean) {
    p /= count;
    if (p > 0) shared += p * std::log(p);
  }
  return std::exp(own / count - shared);
}

}  // namespace

InceptionScore inception_score(const Features& logits, std::int64_t part_size) {
  if (logits.count() == 0) fail<DataError>("evaluation", "an Inception Score takes pictures");
  InceptionScore score;
  for (std::int64_t begin = 0; begin < logits.count(); begin += part_size) {
    score.parts.push_back(
        score_of(logits.rows(begin, std::min(logits.count(), begin + part_size))));
  }
  const auto parts = static_cast<double>(score.parts.size());
  for (const double part : score.parts) score.mean += part / parts;
  double variance = 0;
  for (const double part : score.parts) {
    variance += (part - score.mean) * (part - score.mean) / parts;
  }
  score.deviation = std::sqrt(variance);
  return score;
}

}  // namespace edt
