using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PgBackup.TestServers;

/// <summary>Programs of the servers: run to their end, or left running.</summary>
internal static class ServerProcess
{
    // Below the ports that the system gives to outgoing connections: what is free now is free when the server binds it.
    private const int FirstPort = 20_000;
    private const int LastPort = 32_000;

    /// <summary>Starts a program that stays, with its output in a log; the folder's guard ends it.</summary>
    public static Process Start(string log, ServerCommand command)
    {
        ProcessStartInfo start = new("/bin/sh", ["-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1 </dev/null", "sh", log, command.Program, .. command.Arguments]) { WorkingDirectory = "/" };
        Prepare(start, command);
        return Process.Start(start) ?? throw new InvalidOperationException($"'{command.Program}' did not start.");
    }

    /// <summary>Runs a program to its end; throws with all that it said when that is not 0.</summary>
    public static async Task RunAsync(ServerCommand command)
    {
        ProcessStartInfo start = new(command.Program, command.Arguments) { WorkingDirectory = "/", RedirectStandardOutput = true, RedirectStandardError = true };
        Prepare(start, command);
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"'{command.Program}' did not start.");
        using CancellationTokenSource late = new(TimeSpan.FromMinutes(2));
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string output;
        try
        {
            output = await process.StandardOutput.ReadToEndAsync(late.Token);
            await process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"'{command.Program} {string.Join(' ', start.ArgumentList)}' did not end.");
        }
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"'{command.Program} {string.Join(' ', start.ArgumentList)}' ended with {process.ExitCode}.\n{output}\n{await error}");
    }

    /// <summary>Waits until something answers HTTP there; throws with the folder's logs when a process ends or three minutes pass first.</summary>
    public static async Task WaitUntilAnsweredAsync(Uri endpoint, ServerFolder folder, params Process[] processes)
    {
        using HttpClient client = new(new SocketsHttpHandler { UseProxy = false });
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(50))
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(endpoint, HttpCompletionOption.ResponseHeadersRead);
                return;
            }
            catch (HttpRequestException error)
            {
                if (clock.Elapsed > TimeSpan.FromMinutes(3) || Array.Exists(processes, p => p.HasExited))
                    throw new InvalidOperationException($"The server at {endpoint} did not start: {error.Message}\n{folder.Logs()}", error);
            }
        }
    }

    /// <summary>A port of the loopback that nobody listens at.</summary>
    public static int FreePort()
    {
        while (true)
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            int port = Random.Shared.Next(FirstPort, LastPort);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse)
            {
                continue;
            }
        }
    }

    private static void Prepare(ProcessStartInfo start, ServerCommand command)
    {
        start.Environment["LC_ALL"] = "C";
        foreach ((string name, string value) in command.Environment)
            start.Environment[name] = value;
    }
}
