using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace PgBackup.TestServers.Proxy;

/// <summary>One client's connection: request after request, each to the server behind and back.</summary>
internal sealed class ProxyConnection(FaultProxy proxy, Wire client, CancellationToken cancellationToken) : IDisposable
{
    private Wire? _server;

    /// <summary>Serves until the connection ends, in good order or not.</summary>
    public async Task RunAsync()
    {
        try
        {
            while (await HttpHead.ReadAsync(client, cancellationToken) is { } head)
            {
                FaultProxy.Begun begun = proxy.Begin(head);
                try
                {
                    if (!await ServeAsync(head, begun.Request, begun.Faults))
                        return;
                }
                finally
                {
                    proxy.End();
                }
            }
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            // One of the two sides is gone; the other shall know.
            client.Reset();
        }
        catch (OperationCanceledException)
        {
            client.Reset();
        }
    }

    public void Dispose()
    {
        _server?.Dispose();
        client.Dispose();
    }

    private async Task<bool> ServeAsync(HttpHead head, ProxyRequest request, Fault[] faults)
    {
        if (head["Expect"] is not null)
        {
            head["Expect"] = null;
            await client.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancellationToken);
        }
        var body = HttpBody.OfRequest(client, head);
        foreach (Fault.Delay delay in faults.OfType<Fault.Delay>())
            await Task.Delay(delay.Duration, cancellationToken);
        if (faults.OfType<Fault.Stall>().FirstOrDefault() is { } stall)
            return await StallAsync(body, stall);
        if (faults.OfType<Fault.Answer>().FirstOrDefault() is { } answer)
            return await AnswerAsync(head, request, body, answer);
        if (!await SendAsync(head, body, faults))
        {
            client.Reset();
            return false;
        }
        HttpHead reply = await ReadReplyAsync();
        request.Status = reply.Status;
        var replyBody = HttpBody.OfAnswer(_server!, reply, request.Method);
        if (faults.OfType<Fault.LoseAnswer>().Any())
        {
            await replyBody.ReadAllAsync(cancellationToken);
            client.Reset();
            return false;
        }
        return await ReplyAsync(request, reply, replyBody, faults) && !head.Closes && !reply.Closes && !replyBody.EndsConnection;
    }

    // False when the request was to be cut.
    private async Task<bool> SendAsync(HttpHead head, HttpBody body, Fault[] faults)
    {
        if (_server is not { IsAlive: true })
        {
            _server?.Dispose();
            _server = await Wire.ConnectAsync(proxy.Upstream, cancellationToken);
        }
        head["Proxy-Connection"] = null;
        await _server.WriteAsync(head.ToBytes(), cancellationToken);
        BodyPump pump = new()
        {
            StopAfter = faults.OfType<Fault.ResetRequest>().FirstOrDefault()?.AfterBytes,
            DamageAt = faults.OfType<Fault.DamageRequest>().FirstOrDefault()?.AtByte,
            BytesPerSecond = faults.OfType<Fault.Throttle>().FirstOrDefault()?.BytesPerSecond,
        };
        if (await pump.RunAsync(body, _server, head.IsChunked, drain: true, cancellationToken))
            return true;
        _server.Reset();
        return false;
    }

    private async Task<HttpHead> ReadReplyAsync()
    {
        while (true)
        {
            HttpHead reply = await HttpHead.ReadAsync(_server!, cancellationToken) ?? throw new IOException("The server hung up without an answer.");
            if (reply.Status >= 200)
                return reply;
        }
    }

    private async Task<bool> ReplyAsync(ProxyRequest request, HttpHead reply, HttpBody body, Fault[] faults)
    {
        if (faults.OfType<Fault.WrongETag>().Any())
        {
            await SendWrongETagAsync(reply, body);
            return true;
        }
        if (request.Operation == S3Operation.ListObjects && faults.OfType<Fault.Lag>().FirstOrDefault() is { } lag && reply.Status == 200)
        {
            await SendWholeAsync(reply, ListingLag.Apply(await body.ReadAllAsync(cancellationToken), proxy.WrittenSince(lag.Duration)));
            return true;
        }
        await client.WriteAsync(reply.ToBytes(), cancellationToken);
        Fault.ResetAnswer? reset = faults.OfType<Fault.ResetAnswer>().FirstOrDefault();
        BodyPump pump = new()
        {
            StopAfter = reset?.AfterBytes ?? faults.OfType<Fault.TruncateAnswer>().FirstOrDefault()?.AfterBytes,
            DamageAt = faults.OfType<Fault.DamageAnswer>().FirstOrDefault()?.AtByte,
            BytesPerSecond = faults.OfType<Fault.Throttle>().FirstOrDefault()?.BytesPerSecond,
        };
        if (await pump.RunAsync(body, client, reply.IsChunked, drain: false, cancellationToken))
            return true;
        if (reset is not null)
            client.Reset();
        return false;
    }

    private async Task SendWrongETagAsync(HttpHead reply, HttpBody body)
    {
        string wrong = Convert.ToHexStringLower(MD5.HashData(Guid.NewGuid().ToByteArray()));
        string text = Encoding.UTF8.GetString(await body.ReadAllAsync(cancellationToken));
        if (reply["ETag"] is not null)
            reply["ETag"] = $"\"{wrong}\"";
        int start = text.IndexOf("<ETag>", StringComparison.Ordinal);
        if (start >= 0)
            text = $"{text[..(start + 6)]}&quot;{wrong}&quot;{text[text.IndexOf("</ETag>", StringComparison.Ordinal)..]}";
        await SendWholeAsync(reply, Encoding.UTF8.GetBytes(text));
    }

    private async Task SendWholeAsync(HttpHead reply, byte[] body)
    {
        reply["Transfer-Encoding"] = null;
        reply["Content-Length"] = $"{body.Length}";
        await client.WriteAsync(reply.ToBytes(), cancellationToken);
        await client.WriteAsync(body, cancellationToken);
    }

    private async Task<bool> AnswerAsync(HttpHead head, ProxyRequest request, HttpBody body, Fault.Answer answer)
    {
        while (await body.ReadAsync(cancellationToken) is { IsEmpty: false })
        {
        }
        request.Status = (int)answer.Status;
        byte[] text = request.Method == "HEAD" ? [] : Encoding.UTF8.GetBytes(
            $"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{answer.Code}</Code><Message>{answer.Message}</Message><RequestId>proxy-{request.Number}</RequestId></Error>");
        HttpHead reply = new($"HTTP/1.1 {(int)answer.Status} {answer.Code}")
        {
            ["Content-Type"] = "application/xml",
            ["x-amz-request-id"] = $"proxy-{request.Number}",
        };
        foreach ((string name, string value) in answer.Headers)
            reply[name] = value;
        await SendWholeAsync(reply, text);
        return !head.Closes;
    }

    private async Task<bool> StallAsync(HttpBody body, Fault.Stall stall)
    {
        while (await body.ReadAsync(cancellationToken) is { IsEmpty: false })
        {
        }
        // A byte, or the end, can only come when the client has given up.
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(stall.Duration);
        try
        {
            await client.ReadAsync(1, enough.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            client.Reset();
        }
        return false;
    }
}
