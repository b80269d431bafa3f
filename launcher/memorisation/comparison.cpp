#include "launcher/memorisation/comparison.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>

namespace edt {
namespace {

constexpr std::size_t kTile = 64;      // rows that are compared together
constexpr std::uint64_t kBlock = 512;  // samples that pass by together

// The first row of each tile of this rank.
std::vector<std::size_t> tiles_of(std::size_t rows, const Communicator& ranks) {
  std::vector<std::size_t> tiles;
  const auto step = kTile * static_cast<std::size_t>(ranks.size());
  for (std::size_t i = kTile * static_cast<std::size_t>(ranks.rank()); i < rows; i += step) {
    tiles.push_back(i);
  }
  return tiles;
}

// What each rank found for the rows of its tiles, in the order of the rows, on the first rank.
template <class T>
std::vector<T> gather_rows(const std::vector<T>& own, std::size_t rows, Communicator& ranks,
                           std::string_view label) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::vector<std::string> parts =
      ranks.gather({reinterpret_cast<const char*>(own.data()), own.size() * sizeof(T)}, 0, label);
  std::vector<T> all(ranks.is_root() ? rows : 0);
  std::vector<std::size_t> taken(parts.size());
  for (std::size_t first = 0; first < all.size(); first += kTile) {
    const std::size_t rank = first / kTile % parts.size();
    const std::size_t count = std::min(kTile, rows - first);
    std::memcpy(&all[first], parts[rank].data() + taken[rank] * sizeof(T), count * sizeof(T));
    taken[rank] += count;
  }
  return all;
}

class DrawTile {
 public:
  DrawTile(const data::Dataset& dataset, const ComparisonInputs& inputs, std::size_t first)
      : process_(inputs.process),
        draws_(noised(inputs.draws, first, std::min(kTile, inputs.draws.size() - first),
                      inputs.levels, inputs.process, dataset, inputs.seed)),
        width_(draws_.x_0.size() / draws_.t.size()) {}

  std::size_t rows() const { return draws_.t.size(); }

  BestDenoiser best() const {
    std::vector<NoiseLevel> levels;
    for (const double t : draws_.t) {
      const PathPoint p = process_.at(t);
      levels.push_back({p.alpha, p.sigma});
    }
    return {{draws_.x_t, static_cast<std::int64_t>(width_)}, std::move(levels), draws_.labels};
  }

  // What an error of x_0 is worth in what is predicted: first x_0 + second e with
  // e = (x_t - alpha x_0) / sigma.
  double floor(const std::vector<double>& best, std::size_t row) const {
    const PathPoint p = process_.at(draws_.t[row]);
    const auto [first, second] = process_.target(draws_.t[row]);
    const double factor = first - second * p.alpha / p.sigma;
    double sum = 0;
    for (std::size_t k = row * width_; k < (row + 1) * width_; ++k) {
      const double difference = factor * (draws_.x_0[k] - best[k]);
      sum += difference * difference;
    }
    return sum / static_cast<double>(width_);
  }

  std::vector<double> losses(ForwardPass& network, const Shape& sample,
                             const ComparisonInputs& inputs) const {
    std::vector<double> losses;
    const std::int64_t batch = inputs.batch;
    const auto out_channels = process_.config().out_channels(sample[0]);
    const std::int64_t count = std::min(batch, static_cast<std::int64_t>(rows()));
    std::vector<float> out(static_cast<std::size_t>(count * out_channels * sample[1] * sample[2]));
    std::vector<float> x_t(static_cast<std::size_t>(count) * width_);
    std::vector<float> told(static_cast<std::size_t>(count));
    std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
    const std::size_t out_width = out.size() / static_cast<std::size_t>(count);
    for (std::size_t first = 0; first < rows(); first += told.size()) {
      // A batch that is not full sees its last row again: a row's bits follow the batch's size.
      for (std::size_t i = 0; i < told.size(); ++i) {
        const std::size_t row = std::min(first + i, rows() - 1);
        std::copy_n(draws_.x_t.begin() + static_cast<std::ptrdiff_t>(row * width_), width_,
                    x_t.begin() + static_cast<std::ptrdiff_t>(i * width_));
        told[i] = process_.told(draws_.t[row]);
        labels[i] = draws_.labels[row];
      }
      network(view_of(std::span(x_t), {count, sample[0], sample[1], sample[2]}), told, labels,
              view_of(std::span(out), {count, out_channels, sample[1], sample[2]}));
      for (std::size_t row = first; row < std::min(first + told.size(), rows()); ++row) {
        const auto given = std::span(out).subspan((row - first) * out_width, width_);
        losses.push_back(inputs.of_noise ? noise_error(row, given) : loss(row, given));
      }
    }
    return losses;
  }

 private:
  double loss(std::size_t row, std::span<const float> out) const {
    const auto [first, second] = process_.target(draws_.t[row]);
    double sum = 0;
    for (std::size_t k = 0; k < width_; ++k) {
      const std::size_t at = row * width_ + k;
      const double difference = first * draws_.x_0[at] + second * draws_.noise[at] - out[k];
      sum += difference * difference;
    }
    return sum / static_cast<double>(width_);
  }

  double noise_error(std::size_t row, std::span<const float> out) const {
    const Mix noise = process_.noise(process_.at(draws_.t[row]));
    double sum = 0;
    for (std::size_t k = 0; k < width_; ++k) {
      const std::size_t at = row * width_ + k;
      const double difference = double{draws_.noise[at]} - noise(draws_.x_t[at], out[k]);
      sum += difference * difference;
    }
    return sum / static_cast<double>(width_);
  }

  const Process& process_;
  NoisedDraws draws_;
  std::size_t width_;
};

Shape sample_shape(const data::Dataset& dataset) {
  const data::Description& d = dataset.description();
  return {d.channels, d.height, d.width};
}

std::vector<DrawTile> make_tiles(const data::Dataset& dataset, const ComparisonInputs& inputs,
                                 const Communicator& ranks) {
  std::vector<DrawTile> tiles;
  for (const std::size_t first : tiles_of(inputs.draws.size(), ranks)) {
    tiles.emplace_back(dataset, inputs, first);
  }
  return tiles;
}

// Each on some thread, an error on this one.
template <class F>
void on_all_threads(std::size_t count, const F& f) {
  std::exception_ptr error;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < count; ++i) {
    try {
      f(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

// All samples go by the best denoisers and the nearest samples of this rank.
void pass_samples(const TrainedSamples& seen, const ComparisonInputs& inputs, bool speaks,
                  std::vector<BestDenoiser>& best, std::vector<NearestSamples>& nearest) {
  const data::Dataset& dataset = seen.dataset();
  const auto width = static_cast<std::int64_t>(dataset.description().latent_elements());
  data::ReadScratch scratch;
  std::vector<float> values;
  std::vector<std::int32_t> labels;
  for (std::uint64_t first = 0; first < seen.size(); first += kBlock) {
    const std::uint64_t count = std::min(kBlock, seen.size() - first);
    std::vector<data::SampleRef> refs;
    for (std::uint64_t i = 0; i < count; ++i) refs.push_back(seen.at(first + i));
    values.resize(count * static_cast<std::uint64_t>(width));
    labels.resize(count);
    dataset.read(refs, inputs.seed, scratch, values, labels);
    const SampleBlock block({values, width}, labels, first);
    on_all_threads(best.size() + nearest.size(), [&](std::size_t i) {
      i < best.size() ? best[i].add(block) : nearest[i - best.size()].add(block);
    });
    if (speaks && inputs.progress) inputs.progress(first + count);
  }
}

}  // namespace

Comparison compare(const TrainedSamples& seen, const ComparisonInputs& inputs, ForwardPass& network,
                   Communicator& ranks) {
  std::vector<DrawTile> tiles = make_tiles(seen.dataset(), inputs, ranks);
  std::vector<BestDenoiser> best;
  if (inputs.floors) {
    for (const DrawTile& tile : tiles) best.push_back(tile.best());
  }
  const auto width = static_cast<std::int64_t>(seen.dataset().description().latent_elements());
  const Features pictures{inputs.pictures, width};
  std::vector<NearestSamples> nearest;
  for (const std::size_t first : tiles_of(static_cast<std::size_t>(pictures.count()), ranks)) {
    const auto begin = static_cast<std::int64_t>(first);
    nearest.emplace_back(
        pictures.rows(begin, std::min(begin + std::int64_t{kTile}, pictures.count())));
  }
  if (!best.empty() || !nearest.empty()) pass_samples(seen, inputs, ranks.is_root(), best, nearest);

  std::vector<DrawLoss> draws;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const auto losses = tiles[i].losses(network, sample_shape(seen.dataset()), inputs);
    const auto of_class = best.empty() ? std::vector<double>() : best[i].of_class();
    const auto of_all = best.empty() ? std::vector<double>() : best[i].of_all();
    for (std::size_t row = 0; row < losses.size(); ++row) {
      draws.push_back({losses[row], best.empty() ? 0 : tiles[i].floor(of_class, row),
                       best.empty() ? 0 : tiles[i].floor(of_all, row)});
    }
  }
  std::vector<NearestPair> pairs;
  for (const NearestSamples& tile : nearest) {
    pairs.insert(pairs.end(), tile.pairs().begin(), tile.pairs().end());
  }
  return {gather_rows(draws, inputs.draws.size(), ranks, "losses of draws"),
          gather_rows(pairs, static_cast<std::size_t>(pictures.count()), ranks, "nearest samples")};
}

std::vector<double> losses_at(const data::Dataset& dataset, const ComparisonInputs& inputs,
                              ForwardPass& network, Communicator& ranks) {
  std::vector<double> own;
  for (const DrawTile& tile : make_tiles(dataset, inputs, ranks)) {
    const auto losses = tile.losses(network, sample_shape(dataset), inputs);
    own.insert(own.end(), losses.begin(), losses.end());
  }
  return gather_rows(own, inputs.draws.size(), ranks, "losses of held-out draws");
}

}  // namespace edt
