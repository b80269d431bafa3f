#include "launcher/encode/encode_run.h"

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/storage/directory_lock.h"
#include "core/storage/durable_file.h"
#include "data/pictures/look.h"
#include "launcher/encode/rank_progress.h"

namespace edt {

namespace {

namespace fs = std::filesystem;
using data::BrokenPicture;
using data::PictureIndex;

// A line of a table.
std::string in_one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t' || c == '\r') c = '?';
  }
  return text;
}

struct Stopped {};

// Ranks that have nothing to do wait for others as long as a shard takes, on any machine.
constexpr Seconds kPatience{30.0 * 24 * 3600};

class EncodeRun {
 public:
  EncodeRun(const EncodeRequest& request, data::Encoder& encoder, Communicator& world,
            const EncodeEvents& events)
      : request_(request),
        options_(request.options),
        encoder_(encoder),
        world_(world.split(0, world.rank(), "encode")),
        events_(events),
        index_folder_(options_.out / ".pictures") {
    world_->set_timeout(kPatience);
    data::require_encodable(options_, encoder.info());
  }

  EncodeOutcome run() {
    try {
      find_pictures();
      encode();
    } catch (const Stopped&) {  // on all ranks
      outcome_.stopped = true;
    }
    return outcome_;
  }

 private:
  // The index of all pictures that can be decoded: there already, or made now.
  void find_pictures() {
    std::string id;
    bool is_there = false;
    std::optional<data::PictureIndexWriter> writer;
    if (world_->is_root()) {
      id = data::listing_provenance(options_).id();
      make_directories(options_.out);
      lock_.emplace(options_.out);
      is_there = PictureIndex::finished(index_folder_, id).has_value();
      try {
        if (!is_there && !list(writer.emplace(index_folder_))) id.clear();
      } catch (const Error&) {
        remove_index();
        throw;
      }
    }
    listing_id_ = world_->broadcast(id, 0, "listing");
    if (listing_id_.empty()) throw Stopped{};
    if (!world_->any(is_there, "index")) look(writer);
  }

  // False where it was stopped.
  bool list(data::PictureIndexWriter& writer) {
    try {
      writer.end_list(data::list_pictures(options_.list, writer, [&](std::uint64_t listed) {
        if (events_.progress) events_.progress("list", listed, 0);
        if (events_.stop_requested && events_.stop_requested()) throw Stopped{};
      }));
      return true;
    } catch (const Stopped&) {
      return false;
    }
  }

  // Ranks share it; rank 0 writes down what is left.
  void look(std::optional<data::PictureIndexWriter>& writer) {
    const PictureIndex listed = PictureIndex::listed(index_folder_);
    report("look", 0, listed.size());
    RankProgress progress(*world_, "looked at");
    const auto threads = static_cast<std::size_t>(options_.look_threads);
    const data::LoadSettings settings{
        .decode = options_.decode, .threads = options_.look_threads, .ahead = 4 * threads};
    std::vector<BrokenPicture> own;
    bool stopped = false;
    try {
      own =
          data::look_at_pictures(listed, world_->rank(), world_->size(), settings,
                                 [&](std::uint64_t) { step(progress, 1, "look", listed.size()); });
    } catch (const Stopped&) {
      stopped = true;
    }
    if (world_->any(stopped, "stopped")) throw Stopped{};
    report("look", listed.size(), listed.size());
    const auto texts = world_->gather(data::to_text(own), 0, "broken pictures");
    if (world_->is_root()) {
      std::vector<BrokenPicture> broken;
      for (const std::string& text : texts) {
        const auto part = data::parse_broken(text);
        broken.insert(broken.end(), part.begin(), part.end());
      }
      std::ranges::sort(broken, {}, &BrokenPicture::index);
      require_readable(listed, broken);
      write_left_out(listed, broken);
      writer->finish(broken, listing_id_);
    }
    world_->barrier("index");
  }

  // What a rank does between two pictures. Throws Stopped.
  void step(RankProgress& progress, int count, std::string_view phase, std::uint64_t total) {
    progress.add(static_cast<std::uint64_t>(count));
    progress.look();
    report(phase, progress.done(), total);
    if (events_.stop_requested && events_.stop_requested()) progress.request_stop();
    if (progress.stop()) throw Stopped{};
  }

  void report(std::string_view phase, std::uint64_t done, std::uint64_t total) const {
    if (world_->is_root() && events_.progress) events_.progress(phase, done, total);
  }

  void require_readable(const PictureIndex& listed, const std::vector<BrokenPicture>& broken) {
    constexpr std::size_t kMostNamed = 20;
    const bool refuse = !broken.empty() && !request_.skip_broken;
    if (!refuse && broken.size() < listed.size()) return;
    const auto line = [&](const BrokenPicture& picture) {
      return fmt::format("{}: {}", listed.name_of(listed.at(picture.index)), picture.reason);
    };
    for (std::size_t i = 0; i < std::min(broken.size(), kMostNamed); ++i) {
      log::error("{}", line(broken[i]));
    }
    const std::string first = line(broken.front());
    remove_index();
    fail<DataError>("encode", "{} of {} pictures cannot be decoded; the first is {}{}",
                    broken.size(), listed.size(), first,
                    refuse ? "; --broken skip leaves them out" : "");
  }

  // Nothing is left of what was refused.
  void remove_index() const {
    std::error_code ignored;
    fs::remove_all(index_folder_, ignored);
    fs::remove(options_.out, ignored);  // where it is empty
  }

  // Beside the index: the set gets it when it begins, and until then keeps that of an older one.
  void write_left_out(const PictureIndex& listed, const std::vector<BrokenPicture>& broken) {
    DurableFile file(left_out_file(index_folder_));
    for (const BrokenPicture& picture : broken) {
      file.write(fmt::format("{}\t{}\n", in_one_line(listed.name_of(listed.at(picture.index))),
                             in_one_line(picture.reason)));
    }
    file.commit();
    if (broken.empty()) return;
    log::warning("{} of {} pictures cannot be decoded and are left out; the first is {}: {}",
                 broken.size(), listed.size(),
                 in_one_line(listed.name_of(listed.at(broken[0].index))), broken[0].reason);
  }

  void publish_left_out() const {
    const fs::path path = left_out_file(options_.out);
    const std::string names = read_text(left_out_file(index_folder_), 1u << 30);
    if (!names.empty()) return write_text_atomically(path, names);
    std::error_code ignored;
    fs::remove(path, ignored);
  }

  void encode() {
    const auto index = PictureIndex::finished(index_folder_, listing_id_);
    require<DataError>(index.has_value(), "encode",
                       "{}: the index of the pictures is not there on every node: a directory "
                       "that all see is needed",
                       index_folder_.string());
    data::DatasetWriterOptions writing{.samples_per_shard = options_.samples_per_shard,
                                       .replace = options_.replace};
    std::string record;
    if (world_->is_root()) {
      record = data::encoding_provenance(options_, encoder_.info(), index->sources()).text();
    }
    record = world_->broadcast(record, 0, "provenance");
    writing.provenance = data::Provenance::parse(record, "provenance");
    const data::ShardSet set(options_.out,
                             data::describe_encoding(options_, encoder_.info(), index->sources()),
                             index->size(), writing);
    const std::vector<std::uint64_t> missing = missing_shards(set);
    outcome_.samples = set.samples();
    outcome_.left_out = index->left_out();
    outcome_.shards = {.kept = set.count() - missing.size(), .written = missing.size()};
    outcome_.shards.source = index->sources().summary;
    begun_ = !missing.empty() && missing.size() < set.count();
    if (missing.empty()) return;
    encode_missing(*index, set, missing);
  }

  // Rank 0 looks at what is there.
  std::vector<std::uint64_t> missing_shards(const data::ShardSet& set) {
    std::string there;
    if (world_->is_root()) {
      for (const bool is_there : set.open()) there += is_there ? '1' : '0';
    }
    there = world_->broadcast(there, 0, "shards");
    std::vector<std::uint64_t> missing;
    for (std::uint64_t shard = 0; shard < there.size(); ++shard) {
      if (there[shard] == '0') missing.push_back(shard);
    }
    return missing;
  }

  void encode_missing(const PictureIndex& index, const data::ShardSet& set,
                      const std::vector<std::uint64_t>& missing) {
    std::vector<std::uint64_t> own;
    for (auto i = static_cast<std::size_t>(world_->rank()); i < missing.size();
         i += static_cast<std::size_t>(world_->size())) {
      own.push_back(missing[i]);
    }
    std::uint64_t total = 0;
    for (std::uint64_t shard : missing) total += set.size_of(shard);
    report("encode", 0, total);
    RankProgress progress(*world_, "encoded");
    const auto begin = Clock::now();
    std::uint64_t encoded = 0;
    const data::EncodeHooks hooks{.done =
                                      [&](int count) {
                                        encoded += static_cast<std::uint64_t>(count);
                                        step(progress, count, "encode", total);
                                      },
                                  .complete =
                                      [&](data::ShardWriter& writer) {
                                        if (!begun_) begin_set(set, true);
                                        writer.take_name();
                                      }};
    bool stopped = false;
    try {
      outcome_.seconds_waited = data::encode_shards(options_, index, set, own, encoder_, hooks);
    } catch (const Stopped&) {
      stopped = true;
    }
    if (!begun_) begin_set(set, false);
    outcome_.stopped = world_->any(stopped, "stopped");
    if (!outcome_.stopped) report("encode", total, total);
    outcome_.seconds = seconds_since(begin);
    outcome_.encoded = static_cast<std::uint64_t>(
        world_->all_reduce_value(static_cast<double>(encoded), Reduce::kSum, "encoded pictures"));
  }

  // All ranks once: with the first shard of each complete, or stopped before it.
  void begin_set(const data::ShardSet& set, bool has_shard) {
    begun_ = true;
    if (!world_->any(has_shard, "first shards")) return;
    if (world_->is_root()) {
      set.begin();
      publish_left_out();
    }
    world_->barrier("begin");
  }

  const EncodeRequest& request_;
  const data::EncodeOptions& options_;
  data::Encoder& encoder_;
  std::unique_ptr<Communicator> world_;
  const EncodeEvents& events_;
  const fs::path index_folder_;
  std::string listing_id_;
  std::optional<DirectoryLock> lock_;  // of rank 0: of the index and of the set
  bool begun_ = false;                 // the set is this one: shards may take their names
  EncodeOutcome outcome_;
};

}  // namespace

fs::path left_out_file(const fs::path& out) { return out / "left-out.tsv"; }

EncodeOutcome encode_over_ranks(const EncodeRequest& request, data::Encoder& encoder,
                                Communicator& world, const EncodeEvents& events) {
  return EncodeRun(request, encoder, world, events).run();
}

}  // namespace edt
