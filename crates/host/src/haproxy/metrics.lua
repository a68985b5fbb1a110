-- HAProxy's counters by the names that Octavia gives them: `haproxy_backend_...{proxy=` is `octavia_pool_...{pool=`.

local SOURCE = "http://127.0.0.1:1026/metrics"

local NAMES = {
    process = { prefix = "octavia_loadbalancer_" },
    frontend = { prefix = "octavia_listener_", proxy = "listener" },
    backend = { prefix = "octavia_pool_", proxy = "pool" },
    server = { prefix = "octavia_member_", proxy = "pool" },
}

local function renamed(line)
    local kind, rest = line:match("haproxy_(%a+)_(.*)")
    local names = NAMES[kind]
    -- The source counts itself as well.
    if not names or line:find('"prometheus-exporter"', 1, true) then
        return nil
    end
    local head = line:sub(1, line:find("haproxy_", 1, true) - 1)
    local prefix = names.prefix
    if kind == "process" and rest:sub(1, 5) == "pool_" then
        prefix = "octavia_memory_"
    end
    if kind == "backend" then
        rest = rest:gsub("^active_servers", "active_members"):gsub("^backup_servers", "backup_members")
            :gsub("^server_aborts", "member_aborts")
    end
    if head == "# HELP " then
        rest = rest:gsub("frontend", "listener"):gsub("backend", "pool"):gsub(" server", " member")
    elseif head == "" and names.proxy then
        rest = rest:gsub('{proxy=', "{" .. names.proxy .. "="):gsub(',server=', ",member=")
    end
    return head .. prefix .. rest
end

core.register_service("metrics", "http", function(applet)
    local told = core.httpclient():get({ url = SOURCE })
    if not told or told.status ~= 200 then
        applet:set_status(502)
        applet:start_response()
        return
    end
    local lines = {}
    local idle = told.body:match("\nhaproxy_process_idle_time_percent (%d+)")
    if idle then
        lines[1] = "# HELP octavia_loadbalancer_cpu Load balancer CPU utilization (percentage)."
        lines[2] = "# TYPE octavia_loadbalancer_cpu gauge"
        lines[3] = "octavia_loadbalancer_cpu " .. 100 - tonumber(idle)
    end
    for line in told.body:gmatch("[^\n]+") do
        lines[#lines + 1] = renamed(line)
    end
    local body = table.concat(lines, "\n") .. "\n"
    applet:set_status(200)
    applet:add_header("cache-control", "no-cache")
    applet:add_header("content-type", "text/plain; version=0.0.4")
    applet:add_header("content-length", #body)
    applet:start_response()
    applet:send(body)
end)
