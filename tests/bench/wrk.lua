-- What wrk sends, and what it says at the end: one line of JSON, as tests/bench/client.py does.
-- Its argument is a file of requests: for each its length in a line, then its bytes.

local threads, requests, sent = {}, {}, 0
statuses = {} -- global: read from outside of the thread at the end

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local length = file:read("*n")
  while length do
    file:read(1)
    table.insert(requests, file:read(length))
    length = file:read("*n")
  end
  file:close()
end

function request()
  sent = sent % #requests + 1
  return requests[sent]
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end

local function object(pairs_of)
  local parts = {}
  for key, value in pairs(pairs_of) do
    table.insert(parts, string.format('"%s":%d', key, value))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function done(summary, latency)
  local all, histogram = {}, {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      all[status] = (all[status] or 0) + count
    end
  end
  for index = 1, #latency do
    local value, count = latency(index)
    histogram[value] = count
  end
  local failed = summary.errors
  print(string.format('{"requests":%d,"seconds":%f,"failures":%d,"statuses":%s,"latencies":%s}',
    summary.requests, summary.duration / 1e6,
    failed.connect + failed.read + failed.write + failed.timeout, object(all), object(histogram)))
end
