-- For wrk: asks for the paths it is given, one after another.
local turn = 0
function init(args) paths = args end
function request()
  turn = turn + 1
  return wrk.format("GET", paths[(turn - 1) % #paths + 1])
end
